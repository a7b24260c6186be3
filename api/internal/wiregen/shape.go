package main

import (
	"regexp"
	"strings"
)

type object = map[string]any

var notWord = regexp.MustCompile(`\W`)

func dropPlanned(doc object) {
	eachPath(doc, func(_ string, methods object) {
		for method, op := range methods {
			if operation, _ := op.(object); operation["x-slipway-planned"] != nil {
				delete(methods, method)
			}
		}
	})
}

func inlineParameters(doc object) {
	components, _ := doc["components"].(object)
	shared, _ := components["parameters"].(object)
	eachOperation(doc, func(_, _ string, op object) {
		parameters, _ := op["parameters"].([]any)
		for i, p := range parameters {
			ref, _ := p.(object)["$ref"].(string)
			if found, ok := shared[strings.TrimPrefix(ref, "#/components/parameters/")]; ok {
				parameters[i] = found
			}
		}
	})
	delete(components, "parameters")
}

func tellApart(doc object) {
	eachOperation(doc, func(_, _ string, op object) {
		headers := map[string]string{}
		for _, p := range parametersIn(op, "header") {
			name, _ := p["name"].(string)
			headers[letters(name)] = notWord.ReplaceAllString(name, "")
		}
		for _, p := range parametersIn(op, "query") {
			name, _ := p["name"].(string)
			if field := headers[letters(name)]; field != "" {
				p["x-go-name"] = field + "Query"
			}
		}
	})
}

func parametersIn(op object, place string) (found []object) {
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		if parameter, ok := p.(object); ok && parameter["in"] == place {
			found = append(found, parameter)
		}
	}
	return found
}

func letters(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

func shortenOperations(doc object) {
	eachOperation(doc, func(path, method string, op object) {
		tail := notWord.ReplaceAllString(path, "_") + "_" + method
		id, _ := op["operationId"].(string)
		op["operationId"] = strings.TrimSuffix(id, tail)
	})
}

// dropFailures leaves only answers that a handler returns itself; the shared
// ones are failures.
func dropFailures(doc object) {
	if components, ok := doc["components"].(object); ok {
		delete(components, "responses")
	}
	eachOperation(doc, func(_, _ string, op object) {
		responses, _ := op["responses"].(object)
		for code := range responses {
			if !strings.HasPrefix(code, "2") {
				delete(responses, code)
			}
		}
	})
}

func plainEnums(doc object) {
	walk(doc, func(o object) {
		if _, isEnum := o["enum"].([]any); isEnum {
			delete(o, "enum")
		}
		if _, isText := o["const"].(string); isText {
			delete(o, "const")
		}
	})
}

func printNulls(doc object) {
	for name := range answered(doc) {
		properties, _ := schema(doc, name)["properties"].(object)
		for _, p := range properties {
			if property, ok := p.(object); ok && nullable(property) {
				property["x-omitempty"] = false
			}
		}
	}
}

func nullable(schema object) bool {
	options, _ := schema["anyOf"].([]any)
	for _, option := range options {
		if o, ok := option.(object); ok && o["type"] == "null" {
			return true
		}
	}
	return false
}

// answered names the schemas that some response reaches.
func answered(doc object) map[string]bool {
	found := map[string]bool{}
	eachOperation(doc, func(_, _ string, op object) { reach(doc, op["responses"], found) })
	return found
}

func reach(doc object, from any, found map[string]bool) {
	walk(from, func(o object) {
		ref, _ := o["$ref"].(string)
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		if name == "" || found[name] {
			return
		}
		found[name] = true
		reach(doc, schema(doc, name), found)
	})
}

func schema(doc object, name string) object {
	components, _ := doc["components"].(object)
	schemas, _ := components["schemas"].(object)
	found, _ := schemas[name].(object)
	return found
}

func eachOperation(doc object, visit func(path, method string, op object)) {
	eachPath(doc, func(path string, methods object) {
		for method, op := range methods {
			if operation, ok := op.(object); ok {
				visit(path, method, operation)
			}
		}
	})
}

func eachPath(doc object, visit func(path string, methods object)) {
	paths, _ := doc["paths"].(object)
	for path, item := range paths {
		if methods, ok := item.(object); ok {
			visit(path, methods)
		}
	}
}

func walk(node any, visit func(object)) {
	switch n := node.(type) {
	case object:
		visit(n)
		for _, child := range n {
			walk(child, visit)
		}
	case []any:
		for _, child := range n {
			walk(child, visit)
		}
	}
}
