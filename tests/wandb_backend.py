"""A backend of Weights & Biases on loopback, as much of it as the real client needs: runs, files, sweeps, agents."""

import gzip
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import servers
from forger.tracking import loggers as tracking

ENTITY = "somebody"


def nobody_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a home, which is returned, where nobody is logged in and no variable of W&B's is set."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    monkeypatch.setenv("WANDB_DATA_DIR", "")  # to be restored, whatever a builder sets
    monkeypatch.delenv("WANDB_DATA_DIR")
    monkeypatch.setattr(tracking, "_data_folder", None)
    monkeypatch.chdir(tmp_path)
    return home


@dataclass
class Run:
    """What has arrived of a run."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    exit_code: int | None = None
    #: How often the run was begun or continued.
    begun: int = 0


@dataclass
class Backend:
    """The state of the server. ``jobs`` are the parameters that agents are given, one after the other."""

    url: str = ""
    runs: dict[str, Run] = field(default_factory=dict)
    sweeps: dict[str, str] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Variables under which the client is logged in here."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40, "WANDB_ENTITY": ENTITY}

    # GraphQL, by the name of the operation

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        operation = found[1] if found else query.split("{")[1].strip()
        self.operations.append(operation)
        handler = getattr(self, f"_{operation}", None)
        if handler is None:
            self.unknown.append(f"{operation}: {query[:3000]}")
            return {}
        return handler(variables)

    def _Viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        team = {"edges": [{"node": {"name": ENTITY}}]}
        return {"viewer": {"id": "1", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": team}}

    def _UpsertBucket(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name") or given.get("id")
        new = name not in self.runs
        run = self.runs.setdefault(name, Run(name))
        run.fields |= {key: value for key, value in given.items() if value is not None}
        run.config |= json.loads(given.get("config") or "{}")
        run.begun += new or "commit" in given
        project = {"id": "1", "name": given.get("project") or "forger", "entity": {"id": "1", "name": ENTITY}}
        bucket = {
            "id": name, "name": name, "displayName": given.get("displayName"), "description": None,
            "config": json.dumps(run.config), "sweepName": given.get("sweep"), "project": project,
            "historyLineCount": len(run.rows),
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _RunResumeStatus(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given.get("name", ""))
        if run is None:
            return {"model": {"id": "1", "name": "forger", "entity": {"id": "1", "name": ENTITY}, "bucket": None}}
        last = [json.dumps(run.rows[max(run.rows)])] if run.rows else []
        bucket = {
            "id": run.name, "name": run.name, "summaryMetrics": json.dumps(run.summary), "displayName": run.name,
            "logLineCount": 0, "historyLineCount": len(run.rows), "eventsLineCount": 0, "historyTail": json.dumps(last),
            "eventsTail": "[]", "config": json.dumps(run.config), "tags": [], "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip
        return {"model": {"id": "1", "name": "forger", "entity": {"id": "1", "name": ENTITY}, "bucket": bucket}}

    def _CreateRunFiles(self, given: dict[str, Any]) -> dict[str, Any]:
        run = given["run"]
        files = [{"name": name, "uploadUrl": f"{self.url}/storage/{run}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    def _UpsertSweep(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"sweep{len(self.sweeps)}"
        self.sweeps[name] = given["config"]
        project = {"id": "1", "name": "forger", "entity": {"id": "1", "name": ENTITY}}
        return {"upsertSweep": {"sweep": {"name": name, "project": project}, "configValidationWarnings": []}}

    def _SweepWithRuns(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["sweep"]
        runs = {"edges": []}
        sweep = {
            "id": "1", "name": name, "method": "random", "state": "RUNNING", "description": None, "priorRuns": runs,
            "config": self.sweeps[name], "createdAt": "", "heartbeatAt": "", "updatedAt": "",
            "earlyStopJobRunning": None, "bestLoss": None, "controller": None, "scheduler": None, "runs": runs,
        }  # fmt: skip
        return {"project": {"sweep": sweep}}

    def _CreateAgent(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _Heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        active = json.loads(given.get("runState") or "{}")
        commands: list[dict[str, Any]] = []
        if not active and self.jobs:
            name = f"run{len(self.started)}"
            self.started.append(name)
            arguments = {key: {"value": value} for key, value in self.jobs.pop(0).items()}
            commands = [{"type": "run", "run_id": name, "program": "forger", "args": arguments}]
        elif not active:
            commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _NotifyScriptableRunAlert(self, given: dict[str, Any]) -> dict[str, Any]:
        self.runs[given["runName"]].alerts.append(given["title"])
        return {"notifyScriptableRunAlert": {"success": True}}

    def _OrganizationCoreWeaveOrganizationID(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": None}}

    # Rows

    def stream(self, name: str, body: dict[str, Any]) -> None:
        run = self.runs.setdefault(name, Run(name))
        for file, content in body.get("files", {}).items():
            lines = content.get("content", [])
            if file == "wandb-history.jsonl":
                for index, line in enumerate(lines):
                    run.rows[content.get("offset", 0) + index] = json.loads(line)
            elif file == "wandb-summary.json":
                run.summary |= json.loads(lines[-1])
        if body.get("complete"):
            run.exit_code = body.get("exitcode")


@contextmanager
def serving(backend: Backend, port: int = 0) -> Iterator[Backend]:
    """The backend behind a port of this machine, the same one again if asked."""

    class Handler(servers.Handler):
        protocol_version = "HTTP/1.1"

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _send(self, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._send({})

        def do_PUT(self) -> None:
            _, _, run, name = self.path.split("/", 3)
            backend.runs.setdefault(run, Run(run)).files[name] = self._body()
            self._send({})

        def do_POST(self) -> None:
            body = self._body()
            if not self.path.endswith(("/graphql", "/file_stream")):
                return self._send({})  # telemetry
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            document = json.loads(body)
            if self.path.startswith("/graphql"):
                self._send({"data": backend.answer(document["query"], document.get("variables") or {})})
            else:
                backend.stream(self.path.split("/")[-2], document)
                self._send({})
            return None

    with servers.serving(Handler, port) as backend.url:
        yield backend
