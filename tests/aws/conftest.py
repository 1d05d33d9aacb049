"""What the tests of the stack share: the folders of its functions, laid out once."""

from __future__ import annotations

import pytest
import task_roots
from lambda_sandbox import TaskRoot


@pytest.fixture(scope="session")
def task_root() -> TaskRoot:
    """What a function of the stack finds on Lambda."""
    return task_roots.lay_out()
