package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func claim(w *world, r slipway.Receipt) (got slipway.Receipt) {
	w.Helper()
	w.update(func(tx slipway.Tx) (err error) {
		got, err = tx.ClaimReceipt(r)
		return err
	})
	return got
}

func testReceipts(t *testing.T, w *world) {
	first := slipway.Receipt{Workspace: w.workspace, Key: "key", Hash: "hash", Resource: "made", CreatedAt: at(1)}
	filled(t, reflect.ValueOf(first), "Receipt")
	fresh := first
	fresh.Resource = ""
	w.update(func(tx slipway.Tx) error {
		got, err := tx.ClaimReceipt(first)
		equal(t, "new receipt", got, fresh)
		return errors.Join(err, tx.CompleteReceipt(first))
	})
	second := slipway.Receipt{Workspace: w.workspace, Key: "key", Hash: "other", CreatedAt: at(2)}
	equal(t, "claimed again", claim(w, second), first)
	for _, other := range []slipway.Receipt{
		{Workspace: w.workspace, Key: "Key", Hash: "h", CreatedAt: at(3)},
		{Key: "key", Hash: "h", CreatedAt: at(3)}, // the organisation's
	} {
		equal(t, "another's", claim(w, other), other)
	}
	w.refused(slipway.ErrNoRow, func(tx slipway.Tx) error {
		return tx.CompleteReceipt(slipway.Receipt{Workspace: w.workspace, Key: "no", Resource: "r"})
	})
}

// A request that failed leaves no receipt.
func testReceiptUndone(t *testing.T, w *world) {
	r := slipway.Receipt{Workspace: w.workspace, Key: "key", Hash: "hash", Resource: "made", CreatedAt: at(1)}
	failed := errors.New("failed")
	w.refused(failed, func(tx slipway.Tx) error {
		_, err := tx.ClaimReceipt(r)
		return errors.Join(err, tx.CompleteReceipt(r), failed)
	})
	equal(t, "claimed afterwards", claim(w, r).Resource, "")
}

// Of many that come at once with one key, one makes something and the others
// see what.
func testReceiptRace(t *testing.T, w *world) {
	var g sync.WaitGroup
	results := make(chan string, 16)
	for i := range cap(results) {
		g.Go(func() {
			var made string
			err := w.store.Update(t.Context(), func(tx slipway.Tx) error {
				r, err := tx.ClaimReceipt(slipway.Receipt{Workspace: w.workspace, Key: "key", Hash: "hash", CreatedAt: at(1)})
				if made = r.Resource; err != nil || made != "" {
					return err
				}
				r.Resource = fmt.Sprint(i)
				made = r.Resource
				return tx.CompleteReceipt(r)
			})
			if err != nil {
				t.Error(err)
			}
			results <- made
		})
	}
	g.Wait()
	close(results)
	first := <-results
	for made := range results {
		equal(t, "what was made", made, first)
	}
}

func testReceiptSweep(t *testing.T, w *world) {
	oldest := func(tx slipway.Tx) (time.Time, error) { return tx.OldestReceipt() }
	absent(w, oldest)
	for i := range 5 {
		claim(w, slipway.Receipt{Workspace: w.workspace, Key: fmt.Sprint(i), Hash: "h", CreatedAt: at(float64(i))})
	}
	sweep := func(seconds float64, limit int) (n int) {
		w.update(func(tx slipway.Tx) (err error) {
			n, err = tx.DeleteReceipts(at(seconds), limit)
			return err
		})
		return n
	}
	equal(t, "oldest", read(w, oldest), at(0))
	equal(t, "swept in a batch", sweep(3, 2), 2)
	equal(t, "swept", sweep(3, 2), 1)
	equal(t, "left to sweep", sweep(3, 2), 0)
	equal(t, "the oldest went", claim(w, slipway.Receipt{Workspace: w.workspace, Key: "0", Hash: "new", CreatedAt: at(9)}).Hash, "new")
	equal(t, "the rest stayed", claim(w, slipway.Receipt{Workspace: w.workspace, Key: "3", Hash: "new", CreatedAt: at(9)}).Hash, "h")
}
