import os
import signal

from hypothesis import HealthCheck, settings

# before numpy is loaded: small matrices only wait for more threads
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

# A background shell, cron and some CI start us with SIGINT ignored, and what we start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` tries the same cases every time; `make test-random` tries new ones, many more.
settings.register_profile(
    "fixed",
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("random", settings.get_profile("fixed"), max_examples=2000, derandomize=False)
settings.load_profile("fixed")
