package main

import "testing"

// What can not be meant is refused before anything is made.
func TestServerRefuses(t *testing.T) {
	for _, flag := range []string{
		"--agent-ports=9-1", "--agent-ports=x", "--max-layer-size=0", "--push-token-lifetime=-1s", "--keep-revisions=0", "--rollback-window=0",
		"--build-memory=much", "--source-builds=wasm", "--registry-config=x", "--trusted-proxies=localhost",
		"--settle-window=-1s", "--undo=-1s", "--health-interval=0", "--health-timeout=0", "--health-misses=0", "--pending-run-limit=0",
	} {
		data := t.TempDir()
		got := slipwayWith(t.Context(), "", "server", "--data", data+"/data", "--listen", "127.0.0.1:0", flag)
		if got.code != 2 {
			t.Errorf("%s: exit %d, want 2: %s", flag, got.code, got.errs)
		}
	}
}
