"""A CUDA device that is not there: tensors on it have a shape, a type, a device and memory of their own, but
no values.

`Device` is a dispatch mode. What is asked of the CPU is computed; what is asked of "cuda" is done on fake
tensors and written down: every kernel with its queue, every wait of the host, every transfer, every piece of
memory and who uses it when. What a real device would refuse is refused (a CPU tensor that meets one of the
device), what would go wrong there is put under `wrong`: a read in one queue of what another has not finished,
memory given back while another queue still reads it, a read of frames that have not arrived, a wait in the
middle of a capture.

Order between queues: every queue counts its kernels; a wait takes over the other's counts, and so does the
host when it waits.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from core.pretended_queues import Graph, Kernel, Mark, Memory, Queue
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.flop_counter import flop_registry

CUDA, META = 1, 14  # c10::DeviceType
# Kernels whose answer the host has to wait for, and what it is told here.
ANSWERS = {"_local_scalar_dense": 0.0, "equal": True, "is_nonzero": True, "item": 0.0}
UNKNOWN_SHAPES = ("nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount")
RANDOM = ("normal_", "uniform_", "random_", "exponential_", "bernoulli_")
PRODUCTS = (
    "mm",
    "addmm",
    "bmm",
    "baddbmm",
    "convolution",
    "_scaled_mm",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_fused_attention_overrideable",
)


class Device(TorchDispatchMode):
    def __init__(self, capability: tuple[int, int] = (9, 0)):
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=False)
        self.capability = capability
        self.host: Counter[Queue] = Counter()  # what the host has waited for
        self.now = self.main = Queue(self, "main")
        self.memory: dict[int, Memory] = {}
        self.arriving: dict[int, tuple[Tensor, Counter]] = {}  # host memory that a copy is on its way to
        self.pinned: set[int] = set()
        self.capturing: Graph | None = None
        self.kernels: list[Kernel] = []
        self.waits: list[str] = []  # of the host for the device
        self.transfers: list[tuple[str, int]] = []
        self.wrong: list[str] = []
        self.held = self.most = 0

    def say(self, right: bool, words: str):
        if not right:
            self.wrong.append(words)

    # ---- waits ----

    def wait(self, why: str, seen: Counter | None = None):
        self.say(self.capturing is None, f"the host waits in a capture: {why}")
        self.waits.append(why)
        self.host |= self.now.seen if seen is None else seen

    # ---- kernels ----

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.prim.device.default:
            return args[0].fake_device
        kwargs, name = dict(kwargs or {}), func._overloadpacket.__name__
        flat, spec = tree_flatten((args, kwargs))
        tensors = [x for x in flat if isinstance(x, Tensor)]
        ours = [x for x in tensors if isinstance(x, FakeTensor)]
        target = kwargs.get("device")
        there = target is not None and torch.device(target).type == "cuda"
        if name in ("_pin_memory", "pin_memory", "is_pinned"):
            return self._pinning(name, args[0])
        if not ours and not there:
            return self._on_host(func, args, kwargs, tensors)
        if ours and target is not None and torch.device(target).type == "cpu":
            return self._down(args[0], kwargs)
        if there and tensors and not ours:
            return self._up(func, args, kwargs)
        if name in ("copy_", "_copy_from") and len(ours) == 1 and len(tensors) == 2:
            return self._copied(
                args[0], args[1], bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))
            )
        if name in ANSWERS:
            self.use(name, [self._memory(x) for x in ours], [])
            self.wait(name)
            return ANSWERS[name]
        if (
            name in UNKNOWN_SHAPES
            or name.startswith("index")
            and any(x.dtype in (torch.bool, torch.uint8) for x in _indices(args))
        ):
            raise AssertionError(
                f"{name}: expected a shape that does not depend on values, got "
                f"{[tuple(x.shape) for x in tensors]}"
            )
        strangers = [x for x in tensors if not isinstance(x, FakeTensor) and x.ndim]
        if strangers:
            raise AssertionError(
                f"{name}: expected tensors of the device alone, got {[tuple(x.shape) for x in strangers]} "
                "of the CPU"
            )
        return self._on_device(func, name, flat, spec, args)

    def _on_host(self, func, args, kwargs, tensors):
        pinned = kwargs.pop("pin_memory", None)
        for x in tensors:
            copy = self.arriving.pop(x.untyped_storage()._cdata, None)
            if copy is not None:
                self.say(
                    all(self.host[queue] >= count for queue, count in copy[1].items()),
                    f"the host read {tuple(x.shape)} before it had arrived",
                )
        out = func(*args, **kwargs)
        if pinned:
            self._pin(out)
        return out

    def _on_device(self, func, name, flat, spec, args):
        flat = [
            self.fake.from_tensor(x) if isinstance(x, Tensor) and not isinstance(x, FakeTensor) else x
            for x in flat
        ]
        with self.fake:
            moved, more = tree_unflatten(flat, spec)
            out = args[0] if name in RANDOM else func(*moved, **more)
        returns = func._schema.returns
        if any(r.alias_info is not None and not r.alias_info.is_write for r in returns):
            return out  # a view: no kernel
        made = [x for x in tree_flatten(out)[0] if isinstance(x, Tensor)]
        known = [x.untyped_storage()._cdata in self.memory for x in made]
        after = [self._memory(x, name) for x in made]
        fresh = [memory for memory, old in zip(after, known) if not old]
        inputs = [x for x in flat if isinstance(x, FakeTensor) and x.device.type == "cuda"]
        self.use(name, [self._memory(x) for x in inputs], after)
        flops = (
            flop_registry[func._overloadpacket](*moved, **more, out_val=out)
            if func._overloadpacket in flop_registry
            else 0
        )
        self.kernels.append(
            Kernel(
                name,
                self.now.name,
                tuple(x.dtype for x in inputs),
                tuple({id(m): m.size for m in fresh}.values()),
                flops,
            )
        )
        return out

    def use(self, name: str, reads: list[Memory], writes: list[Memory]):
        """A kernel in the queue of now."""
        queue = self.now
        count = queue.launch()
        for memory in [*reads, *writes]:
            last = memory.written
            self.say(
                last is None or queue.seen[last[0]] >= last[1],
                f"{name} in {queue.name} does not wait for {memory.made_by} of {last and last[0].name}",
            )
            if self.capturing is not None:
                self.capturing.kernels += 1
                if memory.graph is not self.capturing:
                    (
                        self.capturing.writes if any(memory is w for w in writes) else self.capturing.reads
                    ).append(memory)
        for memory in writes:
            early = [q.name for q, used in memory.uses.items() if queue.seen[q] < used]
            self.say(
                not early, f"{name} in {queue.name} writes to {memory.made_by} which {early} may be reading"
            )
            memory.written = (queue, count)
        for memory in [*reads, *writes]:
            memory.uses[queue] = count

    # ---- memory ----

    def _memory(self, x: Tensor, made_by: str = "?") -> Memory:
        storage = x.untyped_storage()
        key = storage._cdata
        if key not in self.memory:
            made = self.memory[key] = Memory(
                storage.nbytes(), self.now, f"{made_by}{tuple(x.shape)}", graph=self.capturing
            )
            self.held += made.size
            self.most = max(self.most, self.held)
            weakref.finalize(storage, self._freed, key).atexit = False
        return self.memory[key]

    def _freed(self, key: int):
        memory = self.memory.pop(key)
        self.held -= memory.size
        memory.freed = True
        early = [
            queue.name
            for queue, count in memory.uses.items()
            if queue is not memory.home
            and queue not in memory.kept_for
            and memory.home.seen[queue] < count
            and self.host[queue] < count
        ]
        self.say(
            not early or memory.graph is not None,
            f"{memory.made_by} of {memory.home.name} is given back while {early} may be using it",
        )

    def keep(self, x: Tensor, queue: Queue):
        """Tensor.record_stream."""
        if isinstance(x, FakeTensor):
            self._memory(x).kept_for.add(queue)

    # ---- transfers ----

    def _pin(self, x: Tensor):
        storage = x.untyped_storage()
        self.pinned.add(storage._cdata)
        weakref.finalize(storage, self.pinned.discard, storage._cdata).atexit = False

    def _pinning(self, name: str, x: Tensor):
        if name == "is_pinned":
            return x.untyped_storage()._cdata in self.pinned
        out = x.clone()
        self._pin(out)
        return out

    def _staged(self, x: Tensor) -> bool:
        return x.untyped_storage()._cdata in self.pinned

    def _up(self, func, args, kwargs):
        """From the host: the host waits for the whole queue, unless the memory is page-locked and nobody
        asked it to wait.
        """
        x, copies = args[0], func._overloadpacket.__name__ == "_to_copy"
        waits = not (kwargs.get("non_blocking") and self._staged(x))
        shadow = self.fake.from_tensor(x.detach())
        with self.fake:
            out = func(shadow, *args[1:], **kwargs)
        memory = self._memory(out, "upload" if copies else "empty")
        if copies and x.device.type != "meta":
            self.use("upload", [], [memory])
            self.transfers.append(("up", x.nbytes))
            if waits:
                self.wait(f"upload of {tuple(x.shape)}")
        return out

    def _down(self, x: Tensor, kwargs):
        self.use("download", [self._memory(x)], [])
        out = torch.zeros(x.shape, dtype=kwargs.get("dtype") or x.dtype)
        self.transfers.append(("down", x.nbytes))
        if not kwargs.get("non_blocking"):
            self.wait(f"download of {tuple(x.shape)}")
        else:
            self.arriving[out.untyped_storage()._cdata] = (out, Counter(self.now.seen))
        return out

    def _copied(self, into: Tensor, x: Tensor, non_blocking: bool):
        up = isinstance(into, FakeTensor)
        self.use(
            "upload" if up else "download",
            [] if up else [self._memory(x)],
            [self._memory(into)] if up else [],
        )
        self.transfers.append(("up" if up else "down", x.nbytes))
        if not (non_blocking and self._staged(x if up else into)):
            self.wait(f"{'upload' if up else 'download'} of {tuple(x.shape)}")
        elif not up:
            self.arriving[into.untyped_storage()._cdata] = (into, Counter(self.now.seen))
        return into

    # ---- torch.cuda ----

    @contextmanager
    def stream(self, queue: Queue | None):
        before, self.now = self.now, queue or self.now
        try:
            yield
        finally:
            self.now = before

    @contextmanager
    def graph(self, graph: Graph, **options):
        self.wait("a capture begins", Counter({q: n for q, n in self.now.seen.items()}))
        queue, self.capturing = Queue(self, "capture"), graph
        queue.seen |= self.now.seen
        try:
            with self.stream(queue):
                yield
        finally:
            self.capturing = None
        self.now.seen |= queue.seen
        self.host |= queue.seen  # nothing of a capture has run

    def __enter__(self):
        lend_a_guard()
        self._lifts = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(
            True
        )  # torch.tensor(…, device="cuda"): made on the CPU, then carried
        torch._C._ensureCUDADeviceGuardSet()
        return super().__enter__()

    def __exit__(self, *error):
        torch._C._set_only_lift_cpu_tensors(self._lifts)
        return super().__exit__(*error)

    def patch(self, monkeypatch):
        """Sets the device in the place of torch.cuda's."""
        generator = torch.Generator
        made = iter(range(1, 1000))
        here = {
            "_lazy_init": lambda: None,
            "Stream": lambda device=None, **options: Queue(self, f"queue {next(made)}"),
            "Event": lambda **options: Mark(self, **options),
            "current_stream": lambda device=None: self.now,
            "default_stream": lambda device=None: self.main,
            "stream": self.stream,
            "synchronize": lambda device=None: self.wait("the device"),
            "get_device_capability": lambda device=None: self.capability,
            "max_memory_allocated": lambda device=None: self.most,
            "memory_allocated": lambda device=None: self.held,
            "CUDAGraph": lambda **options: Graph(self),
            "graph": self.graph,
            "is_current_stream_capturing": lambda: self.capturing is not None,
        }
        for name, value in here.items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(F, "scaled_dot_product_attention", fused_attention)
        monkeypatch.setattr(torch, "Generator", lambda device="cpu": generator("cpu"))
        monkeypatch.setattr(
            Tensor, "new_tensor", lambda x, data: torch.tensor(data, dtype=x.dtype, device=x.device)
        )
        monkeypatch.setattr(Tensor, "record_stream", lambda x, queue: self.keep(x, queue))

    # ---- what a test asks ----

    def mark(self) -> tuple[int, int, int]:
        return len(self.kernels), len(self.waits), len(self.transfers)

    def since(self, mark: tuple[int, int, int]) -> Seen:
        return Seen(self.kernels[mark[0] :], self.waits[mark[1] :], self.transfers[mark[2] :], self.held)


@dataclass(frozen=True)
class Seen:
    """What happened between two moments. held: bytes of device memory at the second."""

    kernels: list[Kernel]
    waits: list[str]
    transfers: list[tuple[str, int]]
    held: int

    @property
    def flops(self) -> int:
        return sum(kernel.flops for kernel in self.kernels)

    @property
    def allocations(self) -> Counter:
        """How many pieces of memory of which size were taken."""
        return Counter(size for kernel in self.kernels for size in kernel.new_bytes)

    @property
    def products(self) -> dict[tuple[str, tuple[torch.dtype, ...]], int]:
        """FLOPs of the matrix products by name and types of their inputs."""
        found: Counter = Counter()
        for kernel in self.kernels:
            if kernel.name in PRODUCTS:
                found[kernel.name, tuple(dict.fromkeys(kernel.types))] += kernel.flops
        return dict(found)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, *, plain=F.scaled_dot_product_attention) -> Tensor:
    """The kernel that a CUDA build picks: flash attention in 16 bits and up to 256 channels a head, else the
    memory-efficient one.
    """
    if not isinstance(q, FakeTensor):
        return plain(q, k, v)
    assert q.dtype == k.dtype == v.dtype and all(x.stride(-1) == 1 for x in (q, k, v)), (
        f"attention: no fused kernel for {q.dtype}, {k.dtype}, {v.dtype}"
    )
    if q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] <= 256 and q.shape[-1] % 8 == 0:
        return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v)[0]
    return torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, False)[0]


def lend_a_guard():
    """A PyTorch without CUDA knows no current CUDA device, and asks for it at every index: it gets the one of
    meta tensors, which does nothing.
    """
    torch._C._ensureCUDADeviceGuardSet()
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    known = (ctypes.c_void_p * 22).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    known[CUDA] = known[CUDA] or known[META]


def _indices(args) -> list[Tensor]:
    return [x for x in tree_flatten(args[1:2])[0] if isinstance(x, Tensor)]
