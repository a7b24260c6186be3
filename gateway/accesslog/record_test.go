package accesslog

import (
	"testing"
	"time"
)

// BenchmarkLine is what a line costs the processor, beside its request.
func BenchmarkLine(b *testing.B) {
	r := Record{
		Time: time.Now(), Request: "0123456789abcdef0123456789abcdef", Client: "192.0.2.1:40000", Key: "01890a5d-ac96-774b-bcce-b302099a8057",
		Deployment: "01890a5d-ac96-774b-bcce-b302099a8057", Instance: "127.0.0.1:20001", Method: "POST", Host: "slipway.example.com",
		Path: "/d/app/threads/01890a5d-ac96-774b-bcce-b302099a8057/runs/wait", Status: 200, Duration: time.Millisecond, FirstByte: time.Millisecond,
	}
	b.ReportAllocs()
	var line []byte
	for b.Loop() {
		line = r.append(line[:0])
	}
}
