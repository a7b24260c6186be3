// Package wire holds the API's shapes as they travel: request and response types, and the server interface.
// All but Time is generated from the API document.
//
// In requests a pointer is nil for an absent field and for null alike, which the contract never tells apart;
// a pointer to an empty slice is a list that was sent empty.
// In responses every field that may be null prints null, even unset. A list that may not be null must be made: a nil
// slice would print null.
package wire

//go:generate go run ../internal/wiregen ../openapi.json config.yaml
