"""Engines that come to their tasks a little later, by times drawn at random, so that these end in other orders."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.keeper.host import bind_workers

_LONGEST_S = 0.05
_DELAYED = 0.5  # of the tasks


def run_delayed(view: Any, seed: int | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function on a view whose tasks are delayed.

    Args:
        view: an ipyparallel view.
        seed: of the delays; None is for no delay.
        function: an implementation.
        *args: for the function.
        **kwargs: for the function.
    """
    client = view.client
    send = client.send_apply_request
    chance = random.Random(seed)

    @functools.wraps(send)
    def sending(socket: Any, f: Any, *rest: Any, **options: Any) -> Any:
        if seed is not None and chance.random() < _DELAYED:  # the engine sleeps before it comes to the task
            send(socket, time.sleep, [chance.random() * _LONGEST_S], {}, ident=options.get("ident"))
        return send(socket, f, *rest, **options)

    client.send_apply_request = sending
    try:
        return function(view, *args, **bind_workers(function, kwargs, len(client.ids)))
    finally:
        del client.send_apply_request
