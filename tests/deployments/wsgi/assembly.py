"""Puts a deployment together from its settings, a dialect and a fault."""

from typing import Any

from .app import Service, create_app
from .calls import Calls, Pace
from .delivery import Courier
from .dialects import Dialect
from .faults import Fault
from .gateway import Gateway
from .reading import Reader


def assembled(settings: dict[str, Any], dialect: Dialect, fault: Fault) -> Gateway:
    """The WSGI application of a deployment, whose deliveries have begun; KeyError when a setting is missing."""
    pace = Pace(settings["ring_seconds"], settings["delivery_seconds"], settings["queued_delivery_seconds"])
    calls = Calls(settings["lines"], pace, dialect, fault)
    courier = Courier(calls, dialect, fault)
    reader = Reader(settings["project"], settings["access_token"], settings["tenant"], dialect, fault)
    app = create_app(Service(reader, calls, courier, dialect, fault), fault)
    courier.start()
    return Gateway(app, fault)
