package mutation

// The rules: which places of a file can be changed (show.go: into what).

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

// Rule says how a place is changed.
type Rule string

// The rules.
const (
	// Negated negates the condition of an if, a for or a case of a switch without tag, or a result that is computed.
	Negated Rule = "condition negated"
	// Swapped puts && in place of ||, and the other way round.
	Swapped Rule = "&& and || swapped"
	// Dropped leaves out a call: one that is a statement, or one whose only result is an error, which is then nil.
	Dropped Rule = "call dropped"
	// Flipped puts true in place of false, and the other way round.
	Flipped Rule = "flag flipped"
	// Changed adds one to a number, and a letter to a string. Literals in declarations of constants, array lengths and tags must
	// be constant, so they stay. So does what no answer depends on: text for people, such as that of errors and logs, capacities,
	// and what is returned beside an error.
	Changed Rule = "constant changed"
)

// reader finds the sites of a file.
type reader struct {
	*source
	set      *token.FileSet
	info     *types.Info
	own      *types.Package
	function string
	readings []string // that the function looks at, of looksAt
	looksAt  map[*types.Func][]string
	found    []*Site
	places   map[[3]string]int // occurrences, by function, original and changed lines
}

// sitesOf returns the sites of a file, whose functions look at readings.
func sitesOf(root string, in *packages.Package, file *ast.File, readings map[*types.Func][]string) ([]*Site, error) {
	name := in.Fset.Position(file.Package).Filename
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	below, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	r := &reader{
		source: &source{file: filepath.ToSlash(below), text: text}, set: in.Fset, info: in.TypesInfo, own: in.Types,
		places: map[[3]string]int{}, looksAt: readings,
	}
	r.name = r.offset(file.Name.End())
	for cursor := range inspector.New([]*ast.File{file}).Root().Preorder() {
		r.visit(cursor)
	}
	return r.found, nil
}

// visit adds the sites of one node.
func (r *reader) visit(cursor inspector.Cursor) {
	switch node := cursor.Node().(type) {
	case *ast.FuncDecl:
		r.function = functionName(node)
		function, _ := r.info.Defs[node.Name].(*types.Func)
		r.readings = r.looksAt[function]
	case *ast.ValueSpec:
		if cursor.Parent().ParentEdgeKind() == edge.File_Decls {
			r.function, r.readings = node.Names[0].Name, nil
		}
	case *ast.ExprStmt:
		if call, ok := node.X.(*ast.CallExpr); ok && inBlock(cursor) && r.mayDrop(call) {
			r.dropStatement(node)
		}
	}
	node, ok := cursor.Node().(ast.Expr)
	if !ok {
		return
	}
	kind := cursor.ParentEdgeKind()
	if r.isBool(node) && r.info.Types[node].Value == nil && isCondition(cursor) && !r.besideError(cursor) {
		r.negate(node)
	}
	switch node := node.(type) {
	case *ast.BinaryExpr:
		if (node.Op == token.LAND || node.Op == token.LOR) && r.isBool(node) {
			r.swap(cursor, node)
		}
	case *ast.CallExpr:
		if r.isError(node) && isSole(cursor) {
			r.dropError(cursor, node)
		}
	case *ast.Ident:
		if value := r.info.Uses[node]; (value == types.Universe.Lookup("true") || value == types.Universe.Lookup("false")) &&
			r.isBool(node) && !r.mustBeConstant(cursor) && !r.besideError(cursor) {
			r.flip(node)
		}
	case *ast.BasicLit:
		if kind != edge.ImportSpec_Path && kind != edge.Field_Tag && !r.mustBeConstant(cursor) && !r.isForPeople(cursor, node) &&
			!r.isCapacity(cursor) && !r.besideError(cursor) {
			r.change(node)
		}
	}
}

// readingsOf returns the readings that each function of a package, or one of the package that it calls, looks at, sorted.
func readingsOf(in *packages.Package) map[*types.Func][]string {
	own, calls := map[*types.Func][]string{}, map[*types.Func][]*types.Func{}
	for cursor := range inspector.New(in.Syntax).Root().Preorder((*ast.FuncDecl)(nil)) {
		function, ok := in.TypesInfo.Defs[cursor.Node().(*ast.FuncDecl).Name].(*types.Func)
		if !ok {
			continue
		}
		own[function] = nil
		for below := range cursor.Preorder((*ast.SelectorExpr)(nil), (*ast.CallExpr)(nil)) {
			switch node := below.Node().(type) {
			case *ast.SelectorExpr:
				selected := in.TypesInfo.Selections[node]
				if selected != nil && selected.Kind() == types.FieldVal && types.TypeString(selected.Type(), nil) == readingType {
					own[function] = append(own[function], node.Sel.Name)
				}
			case *ast.CallExpr:
				if called, ok := typeutil.Callee(in.TypesInfo, node).(*types.Func); ok && called.Pkg() == in.Types {
					calls[function] = append(calls[function], called)
				}
			}
		}
	}
	all := map[*types.Func][]string{}
	for function, fields := range own {
		fields = slices.Clone(fields)
		for _, called := range calls[function] {
			fields = append(fields, own[called]...)
		}
		slices.Sort(fields)
		all[function] = slices.Compact(fields)
	}
	return all
}

// functionName returns "Type.Method" or "function".
func functionName(declared *ast.FuncDecl) string {
	if declared.Recv == nil || len(declared.Recv.List) == 0 {
		return declared.Name.Name
	}
	receiver := declared.Recv.List[0].Type
	for {
		switch inner := receiver.(type) {
		case *ast.StarExpr:
			receiver = inner.X
		case *ast.IndexExpr:
			receiver = inner.X
		case *ast.IndexListExpr:
			receiver = inner.X
		case *ast.Ident:
			return inner.Name + "." + declared.Name.Name
		default:
			return declared.Name.Name
		}
	}
}

// inBlock reports whether a statement is one of a list, not part of another statement.
func inBlock(cursor inspector.Cursor) bool {
	switch cursor.ParentEdgeKind() {
	case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
		return true
	}
	return false
}

// isCondition reports whether an expression decides which statements are executed, or is a result.
func isCondition(cursor inspector.Cursor) bool {
	switch cursor.ParentEdgeKind() {
	case edge.IfStmt_Cond, edge.ForStmt_Cond, edge.ReturnStmt_Results:
		return true
	case edge.CaseClause_List:
		choice, ok := cursor.Parent().Parent().Parent().Node().(*ast.SwitchStmt)
		return ok && choice.Tag == nil
	}
	return false
}

// isSole reports whether a value is the only one that is returned, or is assigned to one variable.
func isSole(cursor inspector.Cursor) bool {
	switch parent := cursor.Parent().Node().(type) {
	case *ast.ReturnStmt:
		return len(parent.Results) == 1
	case *ast.AssignStmt:
		return cursor.ParentEdgeKind() == edge.AssignStmt_Rhs && len(parent.Lhs) == len(parent.Rhs)
	}
	return false
}

// mustBeConstant reports whether the language wants a constant at a place.
func (r *reader) mustBeConstant(cursor inspector.Cursor) bool {
	for ; cursor.Node() != nil; cursor = cursor.Parent() {
		switch cursor.ParentEdgeKind() {
		case edge.ArrayType_Len:
			return true
		case edge.GenDecl_Specs:
			return cursor.Parent().Node().(*ast.GenDecl).Tok == token.CONST
		case edge.KeyValueExpr_Key:
			if literal, ok := cursor.Parent().Parent().Node().(*ast.CompositeLit); ok {
				switch r.info.TypeOf(literal).Underlying().(type) {
				case *types.Array, *types.Slice:
					return true
				}
			}
		}
		if _, ok := cursor.Node().(ast.Stmt); ok {
			if _, declares := cursor.Node().(*ast.DeclStmt); !declares {
				return false
			}
		}
		if _, ok := cursor.Node().(*ast.File); ok {
			return false
		}
	}
	return false
}

// isBool reports whether an expression has type bool.
func (r *reader) isBool(node ast.Expr) bool {
	typed := r.info.TypeOf(node)
	return typed != nil && types.Identical(types.Default(typed), types.Typ[types.Bool])
}

// isError reports whether a call has one result, of type error.
func (r *reader) isError(call *ast.CallExpr) bool {
	typed := r.info.Types[call]
	return typed.IsValue() && typed.Type != nil && types.Identical(typed.Type, types.Universe.Lookup("error").Type())
}

// mayDrop reports whether a call may be dropped as a statement: not panic, after which functions need no return, and not the
// writing of logs.
func (r *reader) mayDrop(call *ast.CallExpr) bool {
	switch callee := typeutil.Callee(r.info, call).(type) {
	case *types.Builtin:
		return callee.Name() != "panic"
	case *types.Func:
		return !logs(callee)
	}
	return true
}

// logs reports whether a function belongs to a package that writes logs.
func logs(function *types.Func) bool {
	return function.Pkg() != nil && (function.Pkg().Path() == "log" || function.Pkg().Path() == "log/slog")
}

// errorCode matches the error codes of Matrix.
var errorCode = regexp.MustCompile(`^M_[A-Z_]+$`)

// isForPeople reports whether a literal is text for people: several words, or an argument of a function that writes logs, panics,
// or makes an error with a format. An error code is for programs.
func (r *reader) isForPeople(cursor inspector.Cursor, literal *ast.BasicLit) bool {
	if literal.Kind == token.STRING {
		value, err := strconv.Unquote(literal.Value)
		if err != nil || errorCode.MatchString(value) {
			return false
		}
		if strings.Contains(value, " ") {
			return true
		}
	}
	for enclosing := range cursor.Enclosing((*ast.CallExpr)(nil)) {
		switch callee := typeutil.Callee(r.info, enclosing.Node().(*ast.CallExpr)).(type) {
		case *types.Builtin:
			if callee.Name() == "panic" {
				return true
			}
		case *types.Func:
			if logs(callee) || makesError(callee) {
				return true
			}
		}
	}
	return false
}

// makesError reports whether a function makes an error from text: errors.New, or one that takes a format.
func makesError(function *types.Func) bool {
	signature := function.Signature()
	last := signature.Params().Len() - 1
	if signature.Results().Len() != 1 || !types.Identical(signature.Results().At(0).Type(), types.Universe.Lookup("error").Type()) {
		return false
	}
	return function.FullName() == "errors.New" || signature.Variadic() && last > 0 &&
		types.Identical(signature.Params().At(last).Type(), types.NewSlice(types.Universe.Lookup("any").Type())) &&
		types.Identical(signature.Params().At(last-1).Type(), types.Typ[types.String])
}

// isCapacity reports whether a literal is the capacity that make reserves.
func (r *reader) isCapacity(cursor inspector.Cursor) bool {
	call, ok := cursor.Parent().Node().(*ast.CallExpr)
	if !ok || cursor.ParentEdgeKind() != edge.CallExpr_Args {
		return false
	}
	made, ok := typeutil.Callee(r.info, call).(*types.Builtin)
	if !ok || made.Name() != "make" {
		return false
	}
	_, isMap := r.info.TypeOf(call).Underlying().(*types.Map)
	return isMap || cursor.ParentEdgeIndex() == 2
}

// besideError reports whether a value is returned beside an error, so that no caller looks at it: one that is made there, or that a
// condition found not to be nil.
func (r *reader) besideError(cursor inspector.Cursor) bool {
	returned, ok := cursor.Parent().Node().(*ast.ReturnStmt)
	if !ok {
		return false
	}
	last := returned.Results[len(returned.Results)-1]
	if last == cursor.Node() || !types.AssignableTo(r.info.TypeOf(last), types.Universe.Lookup("error").Type()) {
		return false
	}
	switch last := last.(type) {
	case *ast.UnaryExpr: // &Error{...}
		return true
	case *ast.CallExpr:
		function, ok := typeutil.Callee(r.info, last).(*types.Func)
		return ok && makesError(function)
	case *ast.Ident:
		return r.isNotNil(last, cursor.Parent())
	}
	return false
}

// isNotNil reports whether a statement is in the body of an if that found a variable not to be nil.
func (r *reader) isNotNil(variable *ast.Ident, statement inspector.Cursor) bool {
	if statement.Parent().ParentEdgeKind() != edge.IfStmt_Body {
		return false
	}
	condition, ok := statement.Parent().Parent().Node().(*ast.IfStmt).Cond.(*ast.BinaryExpr)
	if !ok || condition.Op != token.NEQ || !r.info.Types[condition.Y].IsNil() {
		return false
	}
	compared, ok := condition.X.(*ast.Ident)
	return ok && r.info.Uses[compared] == r.info.Uses[variable]
}
