"""Reads an app before anything of it runs: its packages, what they require, and
whether what the server is to import can be compiled.

    python -I -S survey.py request.json answer.json

Nothing of the app is executed. The first thing that is wrong ends the survey,
as "problem" in the answer.
"""

import ast
import hashlib
import json
import os
import re
import sys
import tokenize
import tomllib

NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class Problem(Exception):
    def __init__(self, code, message, hint=""):
        super().__init__(message)
        self.answer = {"code": code, "message": message, "hint": hint}


class Source:
    """Files of the app, named relative to its root."""

    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def has(self, name):
        return os.path.isfile(self.path(name))

    def text(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def toml(self, name):
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError as wrong:
            raise Problem("pyproject_invalid", f"{name} can not be read: {wrong}.")

    def inside(self, name):
        """name, normalised, if it is one of a file in the source."""
        real = os.path.realpath(self.path(name))
        if os.path.commonpath([real, os.path.realpath(self.root)]) != os.path.realpath(self.root):
            return None
        return os.path.relpath(real, os.path.realpath(self.root))


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements):
    return [normalised(found.group(1)) for line in requirements if (found := NAME.match(line))]


# ---- packages ----


def survey_folder(source, folder):
    if source.has(join(folder, "pyproject.toml")):
        return survey_project(source, folder)
    if source.has(join(folder, "setup.py")):
        return project(source, folder, "", None)
    kind = "package" if source.has(join(folder, "__init__.py")) else "plain"
    answer = {"folder": folder, "kind": kind, "name": basename(source, folder), "dynamic": False, "inputs": "", "listed": []}
    if source.has(join(folder, "requirements.txt")):
        answer["requirements"] = join(folder, "requirements.txt")
        lines = list(requirement_lines(source, answer["requirements"], set()))
        answer["inputs"] = "\n".join(lines)
        answer["listed"] = names_of(lines)
    return answer


def survey_project(source, folder):
    name = join(folder, "pyproject.toml")
    content = source.toml(name)
    table = content.get("project")
    if table is None:
        return project(source, folder, content.get("tool", {}).get("poetry", {}).get("name", ""), None)
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise Problem("pyproject_invalid", f"{name} has no project.name.")
    if table.get("dynamic"):
        return project(source, folder, table["name"], table.get("dependencies", []))
    decisive = {
        "project": {key: table.get(key) for key in ("name", "requires-python", "dependencies", "optional-dependencies")},
        "uv": content.get("tool", {}).get("uv"),
    }
    return {
        "folder": folder,
        "kind": "project",
        "name": table["name"],
        "dynamic": False,
        "inputs": json.dumps(decisive, sort_keys=True, default=str),
        "layout": layout(source, folder),
        "listed": names_of(table.get("dependencies", [])),
    }


def project(source, folder, name, requires):
    """One whose own code says what it requires: any file of it may decide."""
    whole = digest(source, folder)
    return {
        "folder": folder,
        "kind": "project",
        "name": name or basename(source, folder),
        "dynamic": True,
        "inputs": whole,
        "layout": whole,
        "listed": names_of(requires or []),
    }


def digest(source, folder):
    total = hashlib.sha256()
    for dir, files in walk(source, folder):
        for file in files:
            path = os.path.join(dir, file)
            total.update(f"{os.path.relpath(path, source.root)}\n".encode() + content_of(path))
    return total.hexdigest()


def layout(source, folder):
    """Changes when a package may be put together differently: with the names of its files, and with
    what the files at its root say."""
    total = hashlib.sha256()
    for dir, files in walk(source, folder):
        for file in files:
            path = os.path.join(dir, file)
            total.update(f"{os.path.relpath(path, source.root)}\n".encode())
            if dir == source.path(folder):
                total.update(content_of(path))
    return total.hexdigest()


def walk(source, folder):
    """Folders with their files, in order, without what is not source."""
    for dir, dirs, files in os.walk(source.path(folder)):
        dirs[:] = sorted(d for d in dirs if d not in (".git", "__pycache__", "node_modules", ".slipway"))
        yield dir, sorted(f for f in files if not f.endswith(".pyc") and not os.path.islink(os.path.join(dir, f)))


def content_of(path):
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def requirement_lines(source, name, seen):
    """The lines of a file and of those that it names."""
    inside = source.inside(name)
    if inside is None or not source.has(inside):
        raise Problem("requirements_invalid", f"{name}, which requirements.txt names, is not a file in the source.")
    if inside in seen:
        return
    seen.add(inside)
    for line in source.text(inside).replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line:
            continue
        yield line
        if other := re.match(r"(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)$", line):
            if "://" not in other.group(1):
                yield from requirement_lines(source, join(os.path.dirname(inside), other.group(1)), seen)


def join(folder, name):
    return os.path.normpath(os.path.join(folder, name))


def basename(source, folder):
    return "app" if folder == "." else os.path.basename(folder)


# ---- a uv workspace ----


def survey_workspace(source, workspace, config_folder):
    """The members that are deployed, dependencies last, read off uv.lock."""
    root = workspace["root"]
    lock = source.toml(join(root, "uv.lock"))
    members = {}
    for package in lock.get("package", []):
        place = package.get("source", {})
        path = place.get("editable", place.get("virtual", place.get("directory")))
        if path is not None:
            members[normalised(package["name"])] = {**package, "path": join(root, path), "virtual": "virtual" in place}
    target = members.get(normalised(workspace["package"])) if workspace["package"] else member_of(members, config_folder)
    if target is None:
        known = ", ".join(sorted(members)) or "none"
        raise Problem("package_not_found", f"uv.lock in {root} has no package {workspace['package'] or 'for ' + config_folder}; it has {known}.", "Set source.package in langgraph.json.")
    if target["virtual"]:
        raise Problem("package_not_installable", f"{target['name']} is no package (tool.uv.package is false), so that it can not be installed.", "Remove that setting, or deploy another member by source.package.")
    answer, waiting = [], [target["name"]]
    while waiting:
        member = members.get(normalised(waiting.pop(0)))
        if member is None or member["path"] in [a["folder"] for a in answer]:
            continue
        if source.inside(member["path"]) is None:
            raise Problem("dependency_outside", f"{member['name']} lies in {member['path']}, which is not inside the source.")
        if not member["virtual"]:
            answer.append(survey_project(source, member["path"]))
        waiting += [d["name"] for d in member.get("dependencies", [])]
    for folder in answer:
        folder["listed"] = [normalised(p["name"]) for p in lock.get("package", [])]
    # All of them may decide whether the lock is up to date.
    inputs = [source.text(join(member["path"], "pyproject.toml")) for _, member in sorted(members.items()) if source.inside(member["path"])]
    return answer, target["name"], "\n".join([*inputs, source.text(join(root, "uv.lock"))])


def member_of(members, config_folder):
    """The one that the configuration lies in: the deepest."""
    holders = [m for m in members.values() if not m["virtual"] and (m["path"] == "." or (config_folder + "/").startswith(m["path"] + "/"))]
    return max(holders, key=lambda m: len(m["path"]) if m["path"] != "." else 0, default=None)


# ---- what the server imports ----


class Code:
    """Modules of the app, followed from what the server imports as far as plain
    imports at the beginning of files lead."""

    def __init__(self, source, folders):
        self.source = source
        self.roots = []
        for folder in folders:
            if folder["kind"] == "package":
                self.roots.append((os.path.dirname(folder["folder"]) or ".", folder["name"]))
            else:
                self.roots.append((folder["folder"], None))
                self.roots.append((join(folder["folder"], "src"), None))
        self.seen = set()

    def find(self, module):
        first = module.split(".")[0]
        for root, only in self.roots:
            if only not in (None, first):
                continue
            base = join(root, module.replace(".", "/"))
            for name in (base + ".py", join(base, "__init__.py")):
                if self.source.has(name):
                    return name
        return None

    def check(self, file, module=""):
        """The tree of a file; those that it imports are checked too."""
        waiting = [(file, module)]
        first = None
        while waiting:
            file, module = waiting.pop()
            if file in self.seen:
                continue
            self.seen.add(file)
            tree = parse(self.source, file)
            first = first or tree
            package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
            for name in imports_of(tree, package):
                if found := self.find(name):
                    waiting.append((found, name))
        return first or parse(self.source, file)


def parse(source, file):
    try:
        with tokenize.open(source.path(file)) as content:
            text = content.read()
        tree = ast.parse(text, file)
        compile(tree, file, "exec", dont_inherit=True)
        return tree
    except (SyntaxError, UnicodeDecodeError, ValueError) as wrong:
        line = getattr(wrong, "lineno", None) or 1
        said = getattr(wrong, "msg", None) or str(wrong)
        quoted = (getattr(wrong, "text", None) or "").strip()
        raise Problem("syntax_error", f"{file}:{line}: {said}" + (f": {quoted}" if quoted else ""))


def imports_of(tree, package):
    """Modules that are imported whatever happens: not in functions or try."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from prefixes(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if package else []
                base = ".".join([*above, *([base] if base else [])])
            if base:
                yield from prefixes(base)
                for alias in node.names:
                    yield f"{base}.{alias.name}"
        elif isinstance(node, ast.ClassDef):
            waiting += node.body


def prefixes(name):
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


EVASIVE = {"__getattr__", "globals", "exec", "eval", "setattr", "vars", "locals"}


def check_export(tree, file, export, place):
    bound, evasive = set(), False
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            evasive |= node.id in EVASIVE
            if isinstance(node.ctx, ast.Store):
                bound.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
            evasive |= node.name in EVASIVE
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            evasive |= any(alias.name == "*" for alias in node.names)
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if export in bound or evasive:
        return
    offered = sorted({name for node in tree.body for name in bound_by(node) if not name.startswith("_")})
    code = "graph_not_found" if place.startswith("graph ") else "export_not_found"
    raise Problem(code, f"{place} is {export} of {file}, which has no such name.", f"It has {', '.join(offered)}." if offered else "")


def bound_by(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [t.id for t in targets if isinstance(t, ast.Name)]


def survey(request):
    source = Source(request["root"])
    answer = {"folders": [], "listed": names_of(request["dependencies"]), "package": "", "inputs": ""}
    if request.get("workspace"):
        answer["folders"], answer["package"], answer["inputs"] = survey_workspace(source, request["workspace"], request["config_folder"])
    for folder in request["folders"]:
        answer["folders"].append(survey_folder(source, folder))
    for folder in answer["folders"]:
        answer["listed"] += folder.pop("listed")
    code = Code(source, answer["folders"])
    for use in request["uses"]:
        file = use["file"] or code.find(use["module"])
        if file and file.endswith(".py"):
            check_export(code.check(file, use["module"]), file, use["export"], use["place"])
    return answer


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    try:
        answer = survey(request)
    except Problem as problem:
        answer = {"problem": problem.answer}
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answer, file)


main()
