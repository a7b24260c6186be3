package api

import (
	"context"

	"github.com/slipwayhq/slipway/api/wire"
)

func (s *server) StreamEvents(context.Context, wire.StreamEventsRequestObject) (wire.StreamEventsResponseObject, error) {
	return nil, notYet("The stream of events")
}
