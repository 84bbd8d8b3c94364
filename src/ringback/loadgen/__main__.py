"""`python -m ringback.loadgen PLAN FILE embedded|deployment`: started by `run_load`, not by people."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - gevent takes over the standard library before anything else is imported

from ringback.loadgen.child import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
