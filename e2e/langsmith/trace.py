"""What the vendor's Python client does against the tracing part of a server.

    python trace.py <endpoint>      LANGSMITH_API_KEY is the key

Says what is not as expected on stderr and exits 1. Nothing here depends on how
long anything takes: what was flushed is there.
"""

import datetime
import json
import os
import sys
import uuid

os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=sys.argv[1], LANGSMITH_PROJECT="of-python")

import langsmith
from langsmith import Client, traceable, tracing_context
from langsmith.run_helpers import get_current_run_tree
from langsmith.run_trees import RunTree
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError

refused = []
client = Client(tracing_error_callback=refused.append)
PICTURE = b"\x89PNG" + bytes(range(256)) * 2000  # too large for a row


@traceable(run_type="tool", tags=["beta"], client=client)
def shout(text):
    return {"loud": text.upper()}


@traceable(metadata={"thread_id": "t1"}, client=client)
def talk(text):
    get_current_run_tree().attachments = {"picture": ("image/png", PICTURE)}
    return {"said": shout(text)["loud"]}


@traceable(client=client)
def fail():
    raise ValueError("no luck")


def names(**conditions):
    return sorted(run.name for run in client.list_runs(project_name="of-python", **conditions))


def write():
    assert not client.has_project("of-python")
    assert talk("hello ☃ \ud800") == {"said": "HELLO ☃ \ud800"}
    try:
        fail()
    except ValueError:
        pass
    client.flush()
    assert not refused, refused


def read():
    talked, failed = (next(client.list_runs(project_name="of-python", filter=f'eq(name, "{name}")')) for name in ("talk", "fail"))
    assert talked.outputs["said"].startswith("HELLO ☃"), talked.outputs
    assert talked.status == "success" and talked.end_time > talked.start_time
    assert failed.status == "error" and "no luck" in failed.error
    whole = client.read_run(talked.id, load_child_runs=True)
    (child,) = whole.child_runs
    assert child.name == "shout" and child.run_type == "tool" and child.tags == ["beta"] and child.trace_id == talked.id
    assert whole.attachments["picture"]["reader"].read() == PICTURE and whole.attachments["picture"]["mime_type"] == "image/png"
    assert whole.metadata["thread_id"] == "t1"
    assert names() == ["fail", "shout", "talk"] and names(is_root=True) == ["fail", "talk"] and names(is_root=False) == ["shout"]
    assert names(error=True) == ["fail"] and names(run_type="tool") == ["shout"] and names(trace_id=talked.id) == ["shout", "talk"]
    assert names(filter='and(has(tags, "beta"), gt(latency, "0s"))') == ["shout"] and names(filter='search("no luck")') == ["fail"]
    assert len(list(client.list_runs(project_name="of-python", limit=2))) == 2
    (thread,) = client.list_threads(project_name="of-python")
    assert thread["thread_id"] == "t1"
    try:
        names(tree_filter='eq(name, "x")')
        raise AssertionError("a condition was passed over")
    except LangSmithError as e:
        assert "tree_filter" in str(e), e
    project = client.read_project(project_name="of-python", include_stats=True)
    assert project.run_count == 3 and project.error_rate == 0.5 and project.latency_p50 is not None and project.last_run_start_time
    return talked


@traceable(run_type="llm", client=client)
def answer(text):
    return {"said": text, "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}


@traceable(client=client)
def discuss():
    return {"said": [answer("one")["said"], answer("two")["said"]]}


def tokens():
    with tracing_context(project_name="models"):
        discuss()
    client.flush()
    assert not refused, refused
    (root,) = client.list_runs(project_name="models", is_root=True)
    assert (root.total_tokens, root.prompt_tokens, root.completion_tokens) == (14, 6, 8), root
    assert [run.total_tokens for run in client.list_runs(project_name="models", run_type="llm")] == [7, 7]
    project = client.read_project(project_name="models", include_stats=True)
    assert (project.total_tokens, project.prompt_tokens, project.completion_tokens) == (14, 6, 8), project


def one_by_one():
    run = uuid.uuid4()
    client.create_run("single", {"in": 1}, "llm", id=run, project_name="of-python")
    client.update_run(run, outputs={"out": 2}, end_time=datetime.datetime.now(datetime.timezone.utc))
    assert client.read_run(run).outputs == {"out": 2}
    client.create_run("again", {}, "llm", id=run, project_name="of-python")  # the client passes over the refusal
    assert client.read_run(run).name == "single"
    try:
        client.read_run(uuid.uuid4())
        raise AssertionError("a run was read that is not")
    except LangSmithNotFoundError:
        pass


def many():
    """More than the page of a query, through the background batcher."""
    with tracing_context(project_name="many"):
        for n in range(150):
            shout(str(n))
    client.flush()
    assert not refused, refused
    found = {run.inputs["text"] for run in client.list_runs(project_name="many")}
    assert found == {str(n) for n in range(150)}


def from_elsewhere(parent):
    """The parent of a distributed trace, which another process has told of."""
    with tracing_context(parent=RunTree.from_headers({"langsmith-trace": parent.dotted_order}, project_name="elsewhere", client=client)):
        shout("from afar")
    client.flush()
    (run,) = client.list_runs(project_name="elsewhere")
    assert run.parent_run_id == parent.id and run.trace_id == parent.id


def projects():
    made = client.create_project("mine", description="of this test", metadata={"k": "v"})
    assert client.read_project(project_id=made.id).metadata == {"k": "v"}
    try:
        client.create_project("mine")
        raise AssertionError("a name was given twice")
    except LangSmithConflictError:
        pass
    assert client.create_project("mine", upsert=True).id == made.id
    assert client.update_project(made.id, description="another").description == "another"
    assert [p.name for p in client.list_projects(name_contains="ine")] == ["mine"]
    assert {"mine", "of-python"} <= {p.name for p in client.list_projects()}
    client.delete_project(project_name="mine")
    assert not client.has_project("mine")


def second_version(parent):
    """What newer versions of the client ask by."""
    if not hasattr(client, "_get_langsmith_api_sync"):
        return
    runs = client._get_langsmith_api_sync().runs
    page = runs.query_v2(project_ids=[str(parent.session_id)], selects=["NAME", "RUN_TYPE", "STATUS", "OUTPUTS", "ATTACHMENTS"], page_size=1)
    found = {run.name: run for run in page}
    assert found["shout"].run_type == "TOOL" and found["fail"].status == "ERROR" and found["talk"].outputs["said"].startswith("HELLO")
    assert set(found["talk"].attachments) == {"picture"}
    one = runs.retrieve_v2(str(parent.id), project_id=str(parent.session_id), selects=["DOTTED_ORDER"])
    assert one.dotted_order == parent.dotted_order


write()
talked = read()
second_version(talked)
tokens()
one_by_one()
many()
from_elsewhere(talked)
projects()
assert client._get_settings().display_name
print(json.dumps({"version": langsmith.__version__}))
