package daemon

import (
	"context"
	"errors"
	"log/slog"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/disk"
	"github.com/slipwayhq/slipway/store/sqlite"
)

// spareBytes is the room that is set aside for the store: for some hundred
// updates, so that deployments can be deleted, which makes room.
const spareBytes = 16 << 20

// thrifty is a store in a file that gives what is set aside for it to an update
// for which the disk has no room. What finds none at all is for the caller to
// mend.
type thrifty struct {
	*sqlite.Store
	spare  *disk.Spare
	logger *slog.Logger
}

func (s thrifty) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	err := s.Store.Update(ctx, fn)
	if sqlite.Full(err) && s.spare.Give() {
		s.logger.Error("the disk is full: what was set aside for the store is used")
		err = s.Store.Update(ctx, fn)
	}
	if sqlite.Full(err) {
		err = errors.Join(slipway.Errorf(slipway.CodeFull, "The disk of the server is full: nothing can be written down. Free space on the disk of its data folder, then try again."), err)
	}
	return err
}

// setAside sets room aside, if there is enough.
func (s *Server) setAside() {
	if s.spare == nil {
		return
	}
	if err := s.spare.Keep(); err != nil {
		s.config.Logger.Debug("no room is set aside for the store", slog.Any("error", err))
	}
}
