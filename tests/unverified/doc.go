// Package unverified judges chapter unverified: members whose mapping cannot be verified, because the keys of their server
// cannot be had (MSC4014, Changes from MSC1228 6).
package unverified
