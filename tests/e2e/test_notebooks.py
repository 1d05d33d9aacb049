"""Every notebook runs from its first to its last cell on the sample, and is built from its source."""

from __future__ import annotations

import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_built_notebook_is_that_of_its_source(source: Path) -> None:
    built = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    fresh = jupytext.read(source)
    assert [(c.cell_type, c.source) for c in built.cells] == [
        (c.cell_type, c.source) for c in fresh.cells
    ]


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs_on_the_sample_lake(
    source: Path, sample_lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASHTAG_LAKE", str(sample_lake))
    notebook = jupytext.read(source)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(
        cwd=os.fspath(sample_lake.parent)
    )
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    shown = [out for cell in code for out in cell.outputs]
    assert not [out for out in shown if out.output_type == "error"]
    assert sum(out.output_type in {"execute_result", "display_data"} for out in shown) >= 6
