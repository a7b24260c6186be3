package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed pm2.cjs
var pm2Script []byte

// pm2 is a client of it that is connected, and its daemon.
type pm2 struct {
	version string
	cmd     *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Scanner
	errs    bytes.Buffer
	started int
}

// openPM2 installs pm2 into a folder of its own and starts its daemon.
func (l *lab) openPM2(ctx context.Context, program string) (*pm2, error) {
	place, err := l.folder("pm2")
	if err != nil {
		return nil, err
	}
	l.say("  installing pm2")
	if err := installPM2(ctx, place); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(place, "pm2.cjs"), pm2Script, 0o600); err != nil {
		return nil, err
	}
	p := &pm2{cmd: exec.CommandContext(ctx, "node", "pm2.cjs", program)}
	p.cmd.Dir, p.cmd.Stderr = place, &p.errs
	p.cmd.Env = append(os.Environ(), "PM2_HOME="+filepath.Join(place, "home"))
	if err := p.start(); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func installPM2(ctx context.Context, place string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts", "pm2")
	cmd.Dir = place
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm: %w\n%s", err, out)
	}
	return nil
}

func (p *pm2) start() (err error) {
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.output = bufio.NewScanner(output)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	var hello struct{ Version string }
	err = p.answer(&hello)
	p.version = hello.Version
	return err
}

// answer reads the next line of JSON.
func (p *pm2) answer(into any) error {
	for p.output.Scan() {
		if line := p.output.Bytes(); bytes.HasPrefix(line, []byte("{")) {
			return json.Unmarshal(line, into)
		}
	}
	return errors.Join(errors.New("pm2 ended"), p.output.Err())
}

func (p *pm2) tell(command string) error {
	if _, err := fmt.Fprintln(p.input, command); err != nil {
		return err
	}
	var done struct{ Done string }
	return p.answer(&done)
}

// serve has pm2 start the program, and returns the time from the call to the
// first 200. Then it has it removed.
func (p *pm2) serve(ctx context.Context) (time.Duration, error) {
	p.started++
	name := fmt.Sprintf("stand-in-%d", p.started)
	address, port, err := freePort()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	told := make(chan error, 1)
	go func() { told <- p.tell(fmt.Sprintf("start %s %d", name, port)) }()
	err = answers(ctx, "http://"+address+"/ok", lookStandIn, nil)
	took := time.Since(begun)
	if err := errors.Join(err, <-told); err != nil {
		return 0, err
	}
	return took, p.tell("delete " + name)
}

// end ends the client, and with it the daemon and what it runs.
func (p *pm2) end() error {
	if p.cmd.Process == nil {
		return nil
	}
	_ = p.input.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("pm2: %w\n%s", err, p.errs.Bytes())
	}
	return nil
}
