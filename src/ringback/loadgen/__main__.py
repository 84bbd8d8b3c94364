"""`python -m ringback.loadgen`: a process of a load run. Started by `run_load`, not by people."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - gevent takes over the standard library before anything else is imported

from ringback.loadgen.child import main  # noqa: E402

sys.exit(main())
