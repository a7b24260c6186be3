package langgraphpy

import "github.com/slipwayhq/slipway/build/kind/internal/python"

// ServerFiles are what the server is installed from and run by elsewhere than in
// a bundle: serve.py and what it imports, requirements.txt with digests, and
// requirements.in, the server alone.
func ServerFiles() map[string][]byte {
	files := python.Files(launcher)
	files["requirements.txt"], files["requirements.in"] = []byte(lock), []byte(requires)
	return files
}
