"""The parts of the launcher that need no server. Run by serve_test.go."""

import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
import unittest

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here / "serve"), str(here / "../../langgraphpy/serve"), str(here / "../../aegra/serve")]

from aegra_run import database  # noqa: E402
from inmem import runs, settings as inmem_settings, state  # noqa: E402
from slipway_serve import app, control, door, failure, lock, unix  # noqa: E402
from slipway_serve.failure import Mistake  # noqa: E402
from slipway_serve.settings import read_settings  # noqa: E402


class Env(unittest.TestCase):
    def test_file(self):
        lines = {
            "A=1": "1",
            "export A = two words # a comment": "two words",
            "A='# no $comment'": "# no $comment",
            'A="line\\nnext \\"x\\""': 'line\nnext "x"',
            "A=": "",
            "A=a=b": "a=b",
            "# A=1": None,
        }
        for line, want in lines.items():
            with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
                file.write(line + "\n")
                file.flush()
                self.assertEqual(app.read_env_file(file.name).get("A"), want, line)
        self.assertEqual(app.read_env_file("/absent"), {})

    def test_settings(self):
        with tempfile.TemporaryDirectory() as folder:
            read = read_settings({"SLIPWAY_APP_DIR": folder, "SLIPWAY_CONFIG": "a/l.json", "PORT": "8000", "SLIPWAY_SITE": "/x:/y"})
            self.assertEqual((read.base_dir, read.port, read.workers, read.sites), (os.path.realpath(folder) + "/a", 8000, 10, ["/x", "/y"]))
            for wrong in ({"PORT": "0"}, {"PORT": "x"}, {"SLIPWAY_APP_DIR": "/absent"}):
                self.assertRaises(Mistake, read_settings, {"SLIPWAY_APP_DIR": folder, **wrong})

    def test_paths(self):
        self.assertEqual(app.absolute("./src/../a.py:x", "/app"), "/app/a.py:x")
        self.assertEqual(app.absolute("a.py:x", "/app"), "/app/a.py:x")
        self.assertEqual(app.absolute("pkg.mod:x", "/app"), "pkg.mod:x")

    def test_server_environment(self):
        said = inmem_settings.server_environment({"graphs": {"a": "x"}, "http": {"disable_meta": True, "cors": {}}, "auth": None})
        self.assertEqual(said, {"LANGSERVE_GRAPHS": '{"a": "x"}', "LANGGRAPH_HTTP": '{"cors": {}}'})


class Failures(unittest.TestCase):
    def classified(self, raised):
        failure.know_app("/app", ["own"])
        return failure.classify(failure.root(raised))[0]

    def test_codes(self):
        cases = {
            "missing_dependency": ModuleNotFoundError("No module named 'x'", name="x.y"),
            "module_not_found": ModuleNotFoundError("No module named 'own.y'", name="own.y"),
            "import_error": ImportError("cannot import name 'x'"),
            "syntax_error": SyntaxError("bad", ("/app/a.py", 3, 1, "x", 3, 2)),
            "graph_not_found": ValueError("Could not find graph 'g' in 'x'. Please check that: 1. it is"),
            "start_failed": RuntimeError("x"),
            "pgvector_missing": RuntimeError('extension "vector" is not available'),
            "its_own": Mistake("x", code="its_own"),
        }
        for code, raised in cases.items():
            self.assertEqual(self.classified(raised), code)
        for said in ('permission denied to create extension "vector"', 'could not open extension control file "/x/vector.control": No such file'):
            self.assertEqual(self.classified(RuntimeError(said)), "pgvector_missing")

    def test_wrapped(self):
        try:
            try:
                raise ModuleNotFoundError("No module named 'x'", name="x")
            except ImportError as inner:
                raise ImportError("Failed to import app module") from inner
        except ImportError as outer:
            self.assertEqual(self.classified(outer), "missing_dependency")


class Locks(unittest.TestCase):
    def test_lock(self):
        with tempfile.TemporaryDirectory() as folder:
            claims = pathlib.Path(folder, "launcher.lock")
            claims.mkdir()
            parent = os.getppid()
            (claims / f"{lock.boot_id()}-999999999-1").touch()  # dead
            (claims / f"otherboot-{parent}-1").touch()
            (claims / f"{lock.boot_id()}-{parent}-1").touch()  # another process had its number
            lock.take_lock(folder)
            self.assertEqual(len(list(claims.iterdir())), 1)
            (claims / f"{lock.boot_id()}-{parent}-{lock.start_time(parent)}").touch()
            self.assertRaisesRegex(Mistake, f"held by process {parent}", lock.take_lock, folder)


class Table(dict):
    def __init__(self, filename=""):
        super().__init__()
        self.filename = filename

    def load(self):
        with open(self.filename, "rb") as file:
            self.update(state.pickle.load(file))

    def sync(self):
        raise AssertionError("the server writes by itself")


class Standing(unittest.TestCase):
    def ask(self, path, request):
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
            sock.sendall(request.encode() + b"\n")
            said = json.loads(sock.makefile().readline())
        os.close(folder)
        return said

    def test_release(self):
        counted = {"pending": 1, "running": 2, "oldest_ms": 3, "workers": 4}
        with tempfile.TemporaryDirectory(suffix="-long" * 30) as folder:
            path = os.path.join(folder, "control.sock")
            for _ in range(2):  # the second finds what the first has left
                standing = control.Control(lambda: counted)
                seen = []

                def release():
                    while seen != [{"state": "standing by"}]:  # the one before it serves until then
                        try:
                            seen[:] = [self.ask(path, '{"do": "state"}')]
                        except OSError:
                            continue
                    seen.extend(self.ask(path, text) for text in ('{"do": "runs"}', "x", "{}", '{"do": "x"}', '{"do": "release"}'))

                other = threading.Thread(target=release)
                other.start()
                standing.stand_by(path)
                other.join()
                self.assertEqual(seen[:2], [{"state": "standing by"}, counted])
                self.assertEqual([list(answer) for answer in seen[2:5]], [["error"]] * 3)
                standing.serving()
                self.assertEqual(self.ask(path, '{"do": "state"}'), {"state": "serving"})


class Transport:
    def __init__(self, sock):
        self.sock, self.aborted = sock, False

    def get_extra_info(self, name):
        return {"socket": self.sock}[name]

    def abort(self):
        self.aborted = True


class Doors(unittest.TestCase):
    def made(self, sock):
        """What becomes of a connection, and whom it is said to come from."""

        class Protocol:
            def connection_made(self, _):
                self.client = "as uvicorn has it"

        settings = read_settings({"SLIPWAY_APP_DIR": "/", "PORT": "8000"})
        transport, protocol = Transport(sock), door.guarded(Protocol, settings)()
        protocol.connection_made(transport)
        return transport.aborted, protocol.client

    def test_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            for caller in (socket.socket(), socket.socket(socket.AF_INET6)):
                mapped = caller.family == socket.AF_INET6
                caller.connect((f"::ffff:{address[0]}", address[1]) if mapped else address)
                conn, _ = server.accept()
                self.assertEqual(self.made(conn), (False, "as uvicorn has it"), caller)
                caller.close()
                self.assertTrue(self.made(conn)[0], "one that has left")
                conn.close()

    @unittest.skipIf(os.getuid(), "only root can be another")
    def test_port_of_another(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            os.seteuid(65534)
            try:
                caller = socket.socket()
                caller.connect(server.getsockname())
            finally:
                os.seteuid(0)
            conn, _ = server.accept()
            self.assertTrue(self.made(conn)[0])
            caller.close()
            conn.close()

    def test_socket(self):
        with tempfile.TemporaryDirectory(suffix="-long" * 30) as folder:
            for _ in range(2):  # the second finds what the first has left
                with unix.bind(os.path.join(folder, "http.sock")) as sock:
                    self.assertEqual(self.made(sock), (False, ("127.0.0.1", 0)))


class State(unittest.TestCase):
    def test_tables(self):
        class PersistentDict(Table):
            pass

        with tempfile.TemporaryDirectory() as folder:
            tables = state.Tables(folder)
            tables.adopt(PersistentDict)
            table = PersistentDict(filename=".langgraph_api/x.pckl")
            table.load()  # the state is closed
            table.sync()
            self.assertEqual(os.listdir(folder), [])
            tables.open()
            table["a"] = 1
            older = tables.cut()
            table["a"] = 2
            table.sync()
            tables.write(older)  # came late
            again = state.Tables(folder)
            again.check()
            with open(table.filename, "rb") as file:
                self.assertEqual(state.pickle.load(file), {"a": 2})

            class Reopened(Table):
                pass

            reopened = state.Tables(folder)
            reopened.adopt(Reopened)
            early = Reopened(filename=".langgraph_api/x.pckl")
            early.load()
            self.assertEqual(early, {})
            reopened.open()
            self.assertEqual(early, {"a": 2})
            with open(table.filename, "wb") as file:
                file.write(b"")  # the server would take it for empty
            again.check()
            self.assertEqual(os.listdir(again.folder), ["x.pckl.damaged-1"])

    def test_runs(self):
        records = {
            "runs": [
                {"run_id": 1, "thread_id": "a", "status": "running", "created_at": 0},
                {"run_id": 2, "thread_id": "b", "status": "pending", "created_at": 9},
                {"run_id": 3, "thread_id": "c", "status": "success", "created_at": 0},
            ],
            "threads": [{"thread_id": t, "status": "busy"} for t in "abc"],
        }
        self.assertEqual([run["run_id"] for run in runs.busy_runs(records, 5)], [1])
        self.assertEqual(runs.free_orphans(records, 5), (["1"], ["c"]))
        self.assertEqual([t["status"] for t in records["threads"]], ["busy", "busy", "error"])


class Database(unittest.TestCase):
    def test_choose(self):
        env = {"POSTGRES_URI_CUSTOM": "postgres://a/b", "DATABASE_URL": "postgres://app/own", "REDIS_URI_CUSTOM": "redis://r"}
        database.choose(env)
        self.assertEqual((env["DATABASE_URL"], env["REDIS_URL"], env["REDIS_BROKER_ENABLED"]), ("postgres://a/b", "redis://r", "true"))
        env = {"POSTGRES_URI": "postgresql://made", "DATABASE_URL": "postgres://app/own", "REDIS_URI": "redis://made"}
        database.choose(env)
        self.assertEqual((env["DATABASE_URL"], env["REDIS_URL"]), ("postgresql://made", "redis://made"))
        env = {"POSTGRES_URI_CUSTOM": "postgres://a/b", "POSTGRES_URI": "postgresql://made"}
        database.choose(env)
        self.assertEqual(env["DATABASE_URL"], "postgres://a/b")
        for wrong, code in (({}, "database_missing"), ({"POSTGRES_URI_CUSTOM": "mysql://x"}, "database_invalid")):
            with self.assertRaises(Mistake) as raised:
                database.choose(wrong)
            self.assertEqual(raised.exception.code, code)


unittest.main()
