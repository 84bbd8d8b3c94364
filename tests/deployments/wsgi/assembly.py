"""Puts a deployment together from its settings, a taste and a fault."""

from typing import Any

from .app import Service, create_app
from .calls import Calls, Pace
from .delivery import Courier
from .faults import Fault
from .gateway import Gateway
from .reading import Reader
from .tastes import Taste


def assembled(settings: dict[str, Any], taste: Taste, fault: Fault) -> Gateway:
    """The WSGI application of a deployment, whose deliveries have begun; KeyError when a setting is missing."""
    pace = Pace(settings["ring_seconds"], settings["delivery_seconds"], settings["queued_delivery_seconds"])
    calls = Calls(settings["lines"], pace, taste, fault)
    courier = Courier(calls, taste, fault)
    reader = Reader(settings["project"], settings["access_token"], settings["tenant"], taste, fault)
    app = create_app(Service(reader, calls, courier, taste, fault), fault)
    courier.start()
    return Gateway(app, fault)
