package gateway

import (
	"net/http"
	"time"

	"github.com/slipwayhq/slipway/gateway/accesslog"
)

// maxLogged bounds what of a path is logged, in bytes.
const maxLogged = 2048

// record is what is logged of a request. Queries are left out: clients put
// tokens there where they can not set a header, as for WebSockets.
func (g *Gateway) record(p *passage, r *http.Request, o outcome) accesslog.Record {
	record := accesslog.Record{
		Time: p.observer.began, Request: p.observer.id[0], Client: g.config.Proxies.Client(r), Key: string(p.key),
		Method: r.Method, Host: r.Host, Path: shorten(rawPath(r.URL)), Instance: p.stay.address,
		Status: o.status, Bytes: o.bytes, Cut: o.cut,
		Duration: time.Since(p.observer.began), FirstByte: o.firstByte, Held: p.held,
	}
	if p.permitted {
		record.Deployment = string(p.deployment)
	}
	return record
}

func shorten(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged]
	}
	return text
}
