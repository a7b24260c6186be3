package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed pm2.cjs
var pm2Script []byte

// standInPeers measures others that start and look after processes. One that
// can not be had is named with the reason.
func standInPeers(ctx context.Context, l *lab, program string) []row {
	const what = "peer: pm2, start of the same agent by its own API to 200 on /ok"
	took, version, err := pm2Starts(ctx, l, program)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		l.say("  pm2: %v", err)
		return []row{single(what, "not measured").against("%s", reason)}
	}
	return []row{spread(what, took).against("pm2 %s: no store, no API over HTTP, no gate", version)}
}

// pm2Starts installs pm2 into a folder of its own and has it start agents.
func pm2Starts(ctx context.Context, l *lab, program string) (samples, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	place, err := l.folder("pm2")
	if err != nil {
		return nil, "", err
	}
	l.say("  installing pm2")
	if _, err := output(ctx, place, "npm", "install", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts", "pm2"); err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(filepath.Join(place, "pm2.cjs"), pm2Script, 0o600); err != nil {
		return nil, "", err
	}
	printed, err := output(ctx, place, "node", "pm2.cjs", program, fmt.Sprint(l.times(standInPairs)))
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		Version string
		Took    []float64 // ms
	}
	if err := json.Unmarshal(lastLine(printed), &answer); err != nil {
		return nil, "", fmt.Errorf("read what pm2.cjs printed: %w", err)
	}
	var took samples
	for _, ms := range answer.Took {
		took = append(took, time.Duration(ms*float64(time.Millisecond)))
	}
	return took, answer.Version, nil
}

// output runs a program in a folder that is its home too.
func output(ctx context.Context, folder, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PM2_HOME="+filepath.Join(folder, "home"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	printed, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", name, err, errs.Bytes())
	}
	return printed, err
}

func lastLine(text []byte) []byte {
	var last []byte
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		last = bytes.Clone(lines.Bytes())
	}
	return last
}
