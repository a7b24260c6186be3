package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/examples"
)

const configFile = "langgraph.json"

// openApp packs the app, and finds the graph to talk to: echo, or the first.
func (d *demo) openApp() (*client.Archive, error) {
	app := examples.EchoJS()
	if d.app != "" {
		root, err := os.OpenRoot(d.app)
		if err != nil {
			return nil, fmt.Errorf("open app: %w", err)
		}
		defer root.Close()
		app = root.FS()
	}
	var err error
	if d.graph, err = firstGraph(app); err != nil {
		return nil, err
	}
	return client.PackFS(app)
}

func firstGraph(app fs.FS) (string, error) {
	raw, err := fs.ReadFile(app, configFile)
	if err != nil {
		return "", fmt.Errorf("no app: %w", err)
	}
	var config struct{ Graphs map[string]any }
	if err := json.Unmarshal(raw, &config); err != nil {
		return "", fmt.Errorf("read %s: %w", configFile, err)
	}
	names := slices.Sorted(maps.Keys(config.Graphs))
	switch {
	case slices.Contains(names, demoName):
		return demoName, nil
	case len(names) == 0:
		return "", fmt.Errorf("%s names no graph", configFile)
	}
	return names[0], nil
}

// talk sends two messages on a new thread. The second answer shows that the
// thread remembers the first.
func (d *demo) talk(ctx context.Context) error {
	agent := client.NewAgent(address(d.deployment), d.key)
	thread, err := agent.CreateThread(ctx)
	if err != nil {
		return fmt.Errorf("create a thread: %w", err)
	}
	d.screen.line("Talking to graph %s on thread %s:", d.graph, thread)
	var before conversation
	for _, text := range []string{"Hello from Slipway!", "Do you remember me?"} {
		now, err := d.say(ctx, agent, thread, text)
		if err != nil {
			return fmt.Errorf("say %q: %w", text, err)
		}
		if err := d.checkAnswer(before, now); err != nil {
			return err
		}
		before = now
	}
	d.screen.line("The thread holds %s now.", count(before.messages, "message"))
	return nil
}

// checkAnswer holds the example to what it is known to do; other apps may do as
// they like.
func (d *demo) checkAnswer(before, now conversation) error {
	if d.app == "" && (!now.answered || now.messages < before.messages+2) {
		return errors.New("the agent did not answer as the example does")
	}
	return nil
}

// conversation is what was seen of a thread.
type conversation struct {
	answered bool
	messages int
}

// say sends a message and prints what comes back as it comes.
func (d *demo) say(ctx context.Context, agent *client.Agent, thread, text string) (conversation, error) {
	var c conversation
	d.screen.line("  you   %s", text)
	run := client.RunRequest{Assistant: d.graph, Input: userMessage(text), Modes: []string{"updates", "values"}}
	for event, err := range agent.Stream(ctx, thread, run) {
		if err != nil {
			return c, err
		}
		d.take(&c, event)
	}
	return c, nil
}

func userMessage(text string) any {
	return map[string]any{"messages": []map[string]string{{"role": "user", "content": text}}}
}

// take prints an event: an update with what it says, the rest as it is. The
// whole state is counted, not printed.
func (d *demo) take(c *conversation, event client.Event) {
	switch event.Name {
	case "values":
		var state struct{ Messages []any }
		if json.Unmarshal(event.Data, &state) == nil {
			c.messages = len(state.Messages)
		}
	case "updates":
		c.answered = true
		for _, said := range sayings(event.Data) {
			d.screen.line("  agent %s", plain(said))
		}
	default:
		d.screen.aside(event.Name + " " + shorten(string(event.Data), 120))
	}
}

// sayings finds what the messages in an update say; an update without any says
// itself.
func sayings(raw json.RawMessage) []string {
	var nodes map[string]struct {
		Messages []struct{ Content any }
	}
	var out []string
	if json.Unmarshal(raw, &nodes) == nil {
		for _, name := range slices.Sorted(maps.Keys(nodes)) {
			for _, m := range nodes[name].Messages {
				out = append(out, content(m.Content))
			}
		}
	}
	if len(out) == 0 {
		return []string{shorten(string(raw), 200)}
	}
	return out
}

// content is a message's text, or its parts'.
func content(c any) string {
	if s, ok := c.(string); ok {
		return s
	}
	var out strings.Builder
	parts, _ := c.([]any)
	for _, p := range parts {
		part, _ := p.(map[string]any)
		s, _ := part["text"].(string)
		out.WriteString(s)
	}
	return out.String()
}

func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
