package mutation

// A change: the lines that show it, and the wraps with which the program has it.

import (
	"bytes"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

const switched = " != mutant.On(" + number + "))"

func (r *reader) negate(node ast.Expr) {
	var shown edit
	switch inner := ast.Unparen(node).(type) {
	case *ast.BinaryExpr:
		if opposite := map[token.Token]string{token.EQL: "!=", token.NEQ: "=="}[inner.Op]; opposite != "" && inner == node {
			shown = r.replacing(inner.OpPos, inner.OpPos+2, opposite)
			break
		}
		shown = r.replacing(node.Pos(), node.End(), "!("+r.of(node)+")")
	case *ast.UnaryExpr: // the only one that gives a bool besides ! is a receive
		if inner.Op == token.NOT {
			shown = r.replacing(node.Pos(), node.End(), r.of(inner.X))
			break
		}
		shown = r.replacing(node.Pos(), node.End(), "!("+r.of(node)+")")
	default:
		shown = r.replacing(node.Pos(), node.End(), "!"+r.of(node))
	}
	r.add(node, Negated, []edit{shown}, r.wrapping(node, "((", ")"+switched))
}

// swap rewrites a && b into ((a) != m && (b) != m) != m, and a || b likewise: if m is true this is the other operator, by
// De Morgan's laws, and evaluates b in the same cases.
func (r *reader) swap(cursor inspector.Cursor, node *ast.BinaryExpr) {
	other := map[token.Token]token.Token{token.LAND: token.LOR, token.LOR: token.LAND}[node.Op]
	shown := []edit{r.replacing(node.OpPos, node.OpPos+2, other.String())}
	parenthesize := func(e ast.Expr) {
		shown = append(shown, r.replacing(e.Pos(), e.Pos(), "("), r.replacing(e.End(), e.End(), ")"))
	}
	for _, operand := range []ast.Expr{node.X, node.Y} {
		if inner, ok := operand.(*ast.BinaryExpr); ok && inner.Op.Precedence() < other.Precedence() {
			parenthesize(operand)
		}
	}
	if outer, ok := cursor.Parent().Node().(*ast.BinaryExpr); ok && outer.Op.Precedence() > other.Precedence() {
		parenthesize(node)
	}
	r.add(node, Swapped, shown,
		r.wrapping(node, "((", ")"+switched), r.wrapping(node.X, "((", ")"+switched), r.wrapping(node.Y, "((", ")"+switched))
}

func (r *reader) dropStatement(node *ast.ExprStmt) {
	r.add(node, Dropped, []edit{r.replacing(node.Pos(), node.End(), "")},
		r.wrapping(node, "if !mutant.On("+number+") { ", " }"))
}

func (r *reader) dropError(cursor inspector.Cursor, node *ast.CallExpr) {
	shown := "nil"
	if assigned, ok := cursor.Parent().Node().(*ast.AssignStmt); ok && assigned.Tok == token.DEFINE {
		shown = "error(nil)"
	}
	r.add(node, Dropped, []edit{r.replacing(node.Pos(), node.End(), shown)},
		r.wrapping(node, "mutant.Error("+number+", func() error { return ", " })"))
}

func (r *reader) flip(node *ast.Ident) {
	r.add(node, Flipped, []edit{r.replacing(node.Pos(), node.End(), map[string]string{"true": "false", "false": "true"}[node.Name])},
		r.wrapping(node, "(", switched))
}

// change adds one to a number, or a letter to a string.
func (r *reader) change(node *ast.BasicLit) {
	typed := types.Default(r.info.TypeOf(node))
	basic, ok := typed.Underlying().(*types.Basic)
	if !ok {
		return
	}
	name, importing, ok := r.typeName(typed)
	if !ok {
		return
	}
	changed := changedLiteral(node, basic)
	if changed == "" {
		return
	}
	wrapped := r.wrapping(node, "mutant.Pick["+name+"]("+number+", ", ", "+changed+")")
	wrapped.imports = importing
	r.add(node, Changed, []edit{r.replacing(node.Pos(), node.End(), changed)}, wrapped)
}

// changedLiteral returns another literal of the same type.
func changedLiteral(node *ast.BasicLit, basic *types.Basic) string {
	value := constant.MakeFromLiteral(node.Value, node.Kind, 0)
	switch node.Kind {
	case token.STRING:
		if strings.HasPrefix(node.Value, "`") {
			return strings.TrimSuffix(node.Value, "`") + "x`"
		}
		return strings.TrimSuffix(node.Value, `"`) + `x"`
	case token.CHAR:
		char, _ := constant.Int64Val(value)
		return strconv.QuoteRune(rune(char + 1))
	case token.INT:
		for _, step := range []int64{1, -1} {
			if next := constant.BinaryOp(value, token.ADD, constant.MakeInt64(step)); fits(next, basic) {
				return next.ExactString()
			}
		}
	case token.FLOAT:
		return "(" + node.Value + " + 1)"
	}
	return ""
}

// fits reports whether a whole number fits a type.
func fits(value constant.Value, basic *types.Basic) bool {
	if basic.Info()&types.IsInteger == 0 {
		return true // a float
	}
	size := 64
	if sizes := types.SizesFor("gc", "amd64"); sizes != nil {
		size = int(sizes.Sizeof(basic)) * 8
	}
	if basic.Info()&types.IsUnsigned != 0 {
		return constant.Sign(value) >= 0 && constant.BitLen(value) <= size
	}
	return constant.BitLen(value) < size
}

// typeName returns how the file names a type, and the package that it must import for that, or "". It reports false for a type
// that the file cannot name.
func (r *reader) typeName(typed types.Type) (name, importing string, ok bool) {
	named, isNamed := types.Unalias(typed).(*types.Named)
	if !isNamed || named.Obj().Pkg() == nil || named.Obj().Pkg() == r.own {
		return types.TypeString(typed, types.RelativeTo(r.own)), "", true
	}
	importing = named.Obj().Pkg().Path()
	return alias(importing) + "." + named.Obj().Name(), importing, named.Obj().Exported()
}

// alias returns the name under which rewritten files import a package, besides their own imports, which variables may hide.
func alias(imported string) string {
	return "mutant_" + strings.NewReplacer("-", "_", ".", "_").Replace(path.Base(imported))
}

func (r *reader) offset(pos token.Pos) int { return r.set.Position(pos).Offset }

// of returns the text of an expression.
func (r *reader) of(node ast.Expr) string {
	return string(r.text[r.offset(node.Pos()):r.offset(node.End())])
}

// edit replaces a part of a file, to show a change.
type edit struct {
	begin, end int
	by         string
}

func (r *reader) replacing(begin, end token.Pos, by string) edit {
	return edit{r.offset(begin), r.offset(end), by}
}

func (r *reader) wrapping(node ast.Node, before, after string) wrap {
	return wrap{begin: r.offset(node.Pos()), end: r.offset(node.End()), before: before, after: after}
}

// add adds a site at a node.
func (r *reader) add(node ast.Node, rule Rule, shown []edit, wraps ...wrap) {
	slices.SortStableFunc(shown, func(a, b edit) int { return a.begin - b.begin })
	begin, end := lineBegin(r.text, shown[0].begin), lineEnd(r.text, shown[len(shown)-1].end)
	original, changed, done := string(r.text[begin:end]), "", begin
	for _, one := range shown {
		changed += string(r.text[done:one.begin]) + one.by
		done = one.end
	}
	changed += string(r.text[done:end])
	site := &Site{
		File: r.file, Function: r.function, Line: r.set.Position(node.Pos()).Line, Rule: rule,
		Original: unindented(original), Changed: unindented(changed), Readings: r.readings, source: r.source, shown: shown, wraps: wraps,
	}
	place := [3]string{site.Function, site.Original, site.Changed}
	r.places[place]++
	site.Occurrence = r.places[place]
	r.found = append(r.found, site)
}

// unindented returns lines without their common indentation, and without empty ones.
func unindented(text string) string {
	var kept []string
	depth := -1
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\n")
		if line == "" {
			continue
		}
		if own := len(line) - len(strings.TrimLeft(line, "\t")); depth < 0 || own < depth {
			depth = own
		}
		kept = append(kept, line)
	}
	for i, line := range kept {
		kept[i] = line[depth:]
	}
	return strings.Join(kept, "\n")
}

func lineBegin(text []byte, at int) int { return bytes.LastIndexByte(text[:at], '\n') + 1 }

func lineEnd(text []byte, at int) int {
	if end := bytes.IndexByte(text[at:], '\n'); end >= 0 {
		return at + end
	}
	return len(text)
}
