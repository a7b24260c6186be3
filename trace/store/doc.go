// Package store keeps runs, a day at a time.
package store
