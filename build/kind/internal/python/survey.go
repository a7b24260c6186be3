package python

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/command"
	"github.com/slipwayhq/slipway/build/internal/failure"
)

//go:embed scripts/survey.py
var surveyScript []byte

// surveyed is what is known of an app before anything of it runs.
type surveyed struct {
	Folders []folder
	Listed  []string // names of packages that the app asks for itself, normalised
	Package string   // of a workspace: the member that is deployed
	Inputs  string   // of a workspace: changes when what it requires may
	Problem *struct{ Code, Message, Hint string }
}

// folder of the app that is put in sys.path, or installed.
type folder struct {
	Folder       string     // relative to the root of the source
	Kind         folderKind // project, package or plain
	Name         string
	Dynamic      bool   // only its own code says what it requires
	Requirements string // of one without a project: its requirements.txt, "" for none
	Inputs       string // changes when what it requires may
	Layout       string // of a project: changes when it may be put together differently
}

type folderKind string

const (
	projectFolder folderKind = "project" // has a pyproject.toml or a setup.py
	packageFolder folderKind = "package" // is one itself: it has an __init__.py
	plainFolder   folderKind = "plain"   // holds modules and packages
)

type surveyRequest struct {
	Root         string              `json:"root"`
	ConfigFolder string              `json:"config_folder"`
	Folders      []string            `json:"folders"`
	Dependencies []string            `json:"dependencies"`
	Workspace    map[string]string   `json:"workspace,omitempty"`
	Uses         []map[string]string `json:"uses"`
}

func surveyRequestOf(root string, c appconfig.Config) surveyRequest {
	r := surveyRequest{
		Root: root, ConfigFolder: c.Dir(), Folders: c.Python.Folders, Dependencies: c.Python.Dependencies,
		Uses: []map[string]string{},
	}
	if r.Folders == nil {
		r.Folders = []string{}
	}
	if r.Dependencies == nil {
		r.Dependencies = []string{}
	}
	if w := c.Python.Workspace; w != nil {
		r.Workspace = map[string]string{"root": w.Root, "package": w.Package}
	}
	for _, g := range c.Graphs {
		r.Uses = append(r.Uses, use(fmt.Sprintf("graph %q", g.Name), g.File, g.Module, g.Export))
	}
	for _, u := range c.Uses {
		r.Uses = append(r.Uses, use(fmt.Sprintf("%q", u.Place), u.File, u.Module, u.Export))
	}
	return r
}

func use(place, file, module, export string) map[string]string {
	return map[string]string{"place": place, "file": file, "module": module, "export": export}
}

// survey reads the app, with our own code alone. What is wrong with it is a
// failure.
func (j *job) survey(ctx context.Context) (surveyed, error) {
	script, question, answer := filepath.Join(j.scratch, "survey.py"), filepath.Join(j.scratch, "question.json"), filepath.Join(j.scratch, "answer.json")
	asked, err := json.Marshal(surveyRequestOf(j.app.Dir, j.app.Config))
	if err != nil {
		return surveyed{}, err
	}
	for file, content := range map[string][]byte{script: surveyScript, question: asked} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return surveyed{}, err
		}
	}
	var said []byte
	code, err := command.Command{
		Args: []string{j.python.Path, "-I", "-S", script, question, answer}, Dir: j.scratch, Env: j.environment(nil), Mark: j.scratch,
		Line: func(line string) { said = append(append(said, line...), '\n') },
		As:   command.Fetch, In: j.box, Read: j.tools.PythonFiles(j.python), Write: j.folders(), Step: "check",
	}.Run(ctx)
	if err != nil {
		return surveyed{}, err
	}
	if code != 0 {
		return surveyed{}, fmt.Errorf("survey of the app ended with %d: %s", code, said)
	}
	return readSurvey(answer)
}

func readSurvey(file string) (surveyed, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return surveyed{}, err
	}
	var s surveyed
	if err := json.Unmarshal(content, &s); err != nil {
		return surveyed{}, err
	}
	if p := s.Problem; p != nil {
		return s, failure.WithHint(failure.New("check", p.Code, "%s", p.Message), "%s", p.Hint)
	}
	return s, nil
}
