package js

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/toolchain"
)

// serverFiles are what the shared server folder is made of: the launcher, and
// the manifest and lock of what it needs.
//
//go:embed serve.mjs serve server/package.json server/package-lock.json
var serverFiles embed.FS

const serverPackage = "@langchain/langgraph-api"

// serverVersion names the folder: the server's own version, for people, and a
// digest of all that we put in it.
var serverVersion = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, name := range embedded() {
		content, _ := serverFiles.ReadFile(name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	var manifest struct{ Dependencies map[string]string }
	content, _ := serverFiles.ReadFile("server/package.json")
	json.Unmarshal(content, &manifest)
	return manifest.Dependencies[serverPackage] + "-" + hex.EncodeToString(sum.Sum(nil))[:8]
})

func embedded() []string {
	var names []string
	fs.WalkDir(serverFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names
}

func (k *Kind) serverDir(version string, node toolchain.Node) string {
	return filepath.Join(k.cache, "servers", fmt.Sprintf("js-%s-node%d", version, node.Major()))
}

// server returns the shared server folder, made if it is not there.
func (k *Kind) server(ctx context.Context, node toolchain.Node, log io.Writer) (string, error) {
	dir := k.serverDir(serverVersion(), node)
	return dir, k.shelf.Put(ctx, dir, "the server is being installed by another build", log, func(work string) error {
		fmt.Fprintf(log, "Installing LangGraph's JavaScript server %s, once for all apps\n", serverVersion())
		if err := writeServer(work); err != nil {
			return err
		}
		box := k.confinement.Sandbox(command.Scope{Mark: work})
		npm, err := k.npm(ctx, node, agentServer, site{box, work, work}, log)
		if err != nil {
			return err
		}
		return npm.install(ctx, work, order{locked: true, production: true}, log)
	})
}

// writeServer lays the launcher and the manifest side by side.
func writeServer(dir string) error {
	files, err := ServerFiles()
	for name, content := range files {
		target := filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, content, 0o644))
	}
	return err
}
