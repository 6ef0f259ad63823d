package hostile

// Ed25519 keys and signatures that honest software does not make (RFC 8032, 5.1.3 and 5.1.7).

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"slices"

	"filippo.io/edwards25519"
)

// smallOrder are the points of small order in their canonical encodings: a signature that holds for any message can be
// found for each.
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

// notCanonical are other encodings of points of small order, which some libraries take.
var notCanonical = decoded(
	"0100000000000000000000000000000000000000000000000000000000000080", // order 1, with a sign that zero does not have
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, that is 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1, that is 1
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)

// noPoint is 32 bytes that are no point of the curve: there is no x to the y of 2.
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

// signatureBySmallOrder finds a signature of a message that holds under a public key of small order, in the eyes of who
// does not refuse such keys; where there is none it returns one that does not hold.
func signatureBySmallOrder(public, message []byte) []byte {
	point, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return make([]byte, 64)
	}
	for _, r := range smallOrder {
		hash := sha512.Sum512(slices.Concat(r, public, message))
		k, err := edwards25519.NewScalar().SetUniformBytes(hash[:])
		if err != nil {
			continue
		}
		// With S = 0 it holds if R is -kA.
		wanted := new(edwards25519.Point).Negate(new(edwards25519.Point).ScalarMult(k, point))
		if bytes.Equal(wanted.Bytes(), r) {
			return append(slices.Clone(r), make([]byte, 32)...)
		}
	}
	return append(slices.Clone(smallOrder[0]), make([]byte, 32)...)
}

// groupOrder is the order of the curve's base point.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// malleable adds the group order to S: the same signature in a second spelling (RFC 8032, 5.1.7 refuses it).
func malleable(signature []byte) []byte {
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), groupOrder).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(signature[:32]), sum...)
}
