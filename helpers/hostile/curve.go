package hostile

// Ed25519 keys and signatures that correct software does not generate (RFC 8032, 5.1.3 and 5.1.7).

import (
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"slices"

	"filippo.io/edwards25519"
)

// smallOrder are the points of small order in their canonical encodings. For such a key every message has a valid signature.
var smallOrder = decoded(
	"0100000000000000000000000000000000000000000000000000000000000000", // order 1
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
	"0000000000000000000000000000000000000000000000000000000000000000", // order 4
	"0000000000000000000000000000000000000000000000000000000000000080", // order 4
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // order 8
)

// notCanonical are other encodings of points of small order, which some libraries accept.
var notCanonical = decoded(
	"0100000000000000000000000000000000000000000000000000000000000080", // order 1, with the sign bit set although x is zero
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p, that is 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1, that is 1
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)

// noPoint is 32 bytes that do not encode a point of the curve: there is no x for y = 2.
var noPoint = decoded("0200000000000000000000000000000000000000000000000000000000000000")[0]

func decoded(texts ...string) (all [][]byte) {
	for _, text := range texts {
		one, err := hex.DecodeString(text)
		if err != nil {
			panic("hostile: " + err.Error()) // a constant of this file
		}
		all = append(all, one)
	}
	return all
}

// signatureBySmallOrder returns a signature of a message that is valid under a public key of small order, for software that accepts
// such keys (RFC 8032, 5.1.7: R is SB - kA). It tries values of S; most messages need only one.
func signatureBySmallOrder(public, message []byte) []byte {
	key, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return make([]byte, 64)
	}
	one, s := scalarOne(), edwards25519.NewScalar()
	for range 64 {
		for _, torsion := range smallOrder {
			t, err := new(edwards25519.Point).SetBytes(torsion)
			if err != nil {
				panic("hostile: " + err.Error()) // a constant of this file
			}
			r := new(edwards25519.Point).ScalarBaseMult(s)
			r.Add(r, t)
			hash := sha512.Sum512(slices.Concat(r.Bytes(), public, message))
			k, err := edwards25519.NewScalar().SetUniformBytes(hash[:])
			if err != nil {
				panic("hostile: " + err.Error()) // never with 64 bytes
			}
			// A has small order, so kA is one of eight points: guess it.
			if t.Equal(new(edwards25519.Point).Negate(new(edwards25519.Point).ScalarMult(k, key))) == 1 {
				return append(r.Bytes(), s.Bytes()...)
			}
		}
		s.Add(s, one)
	}
	return make([]byte, 64)
}

func scalarOne() *edwards25519.Scalar {
	one, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		panic("hostile: " + err.Error()) // a constant of this file
	}
	return one
}

// groupOrder is the order of the curve's base point.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// malleable adds the group order to S: another encoding of the signature, which RFC 8032, 5.1.7, forbids.
func malleable(signature []byte) []byte {
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), groupOrder).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(signature[:32]), sum...)
}
