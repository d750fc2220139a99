"""A pack in the tests' host: what stands in for the parts of a Wan graph that are too large for a test, and
memory that runs out when told.

Copied into the host's custom_nodes; its classes are the host's own at small sizes.
"""

import json
import logging
import os
import tempfile

import comfy.lora
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.text_encoders.t5
import comfy.utils
import folder_paths
import torch
from comfy import sd1_clip
from comfy.text_encoders.spiece_tokenizer import SPieceTokenizer

SENTENCES = [
    "a red ball rolls down a hill",
    "the kite flies over the sea and the wind takes it",
    "a horse runs through the snow",
    "rain falls on the old town at night",
]
_load = comfy.model_management.load_models_gpu


def load_models_gpu(models, memory_required=0, **options):
    """The host's, which says in the log what memory was announced to it."""
    logging.info(
        "announced %d bytes for %s", memory_required, ",".join(type(model.model).__name__ for model in models)
    )
    return _load(models, memory_required=memory_required, **options)


comfy.model_management.load_models_gpu = load_models_gpu


def words_of(sentences):
    """A SentencePiece model of these sentences, as umt5's file carries one."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "text.txt")
        with open(text, "w") as file:
            file.write("\n".join(sentences))
        options = {"vocab_size": 32, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "minloglevel": 2}
        sentencepiece.SentencePieceTrainer.train(
            input=text, model_prefix=os.path.join(folder, "words"), **options
        )
        with open(os.path.join(folder, "words.model"), "rb") as file:
            return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)


class SmallUmt5:
    """A CLIP as Load CLIP (type wan) gives it: the host's umt5 with its tokenizer, masks and padding, of
    small width.
    """

    RETURN_TYPES, FUNCTION, CATEGORY = ("CLIP",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        names = {
            name: ("STRING", {}) for name in ("clip_name", "type", "device")
        }  # of Load CLIP, whose place it takes
        return {
            "required": {"width": ("INT", {"default": 24}), "tokens": ("INT", {"default": 6})},
            "optional": names,
        }

    def make(self, width, tokens, **named):
        sizes = {"d_ff": 32, "d_kv": 8, "d_model": width, "num_heads": 3, "num_layers": 2, "vocab_size": 64}
        about = {
            "decoder_start_token_id": 0,
            "dense_act_fn": "gelu_pytorch_tanh",
            "eos_token_id": 1,
            "is_gated_act": True,
            "layer_norm_epsilon": 1e-6,
            "model_type": "umt5",
            "pad_token_id": 0,
            "relative_attention_num_buckets": 32,
        }
        path = os.path.join(tempfile.gettempdir(), f"small_umt5_{os.getpid()}_{width}.json")
        with open(path, "w") as file:
            json.dump({**sizes, **about}, file)

        class Model(sd1_clip.SDClipModel):
            def __init__(self, device="cpu", layer="last", layer_idx=None, dtype=None, model_options=None):
                special = {"end": 1, "pad": 0}
                super().__init__(
                    device=device,
                    layer=layer,
                    layer_idx=layer_idx,
                    textmodel_json_config=path,
                    dtype=dtype,
                    special_tokens=special,
                    model_class=comfy.text_encoders.t5.T5,
                    enable_attention_masks=True,
                    zero_out_masked=True,
                    model_options=model_options or {},
                )

        class Words(sd1_clip.SDTokenizer):
            def __init__(self, embedding_directory=None, tokenizer_data=None):
                super().__init__(
                    tokenizer_data["spiece_model"],
                    pad_with_end=False,
                    embedding_size=width,
                    embedding_key="umt5xxl",
                    tokenizer_class=SPieceTokenizer,
                    has_start_token=False,
                    pad_to_max_length=False,
                    max_length=99999999,
                    min_length=tokens,
                    pad_token=0,
                    tokenizer_data=tokenizer_data or {},
                )

        class Tokenizer(sd1_clip.SD1Tokenizer):
            def __init__(self, embedding_directory=None, tokenizer_data=None):
                super().__init__(
                    embedding_directory=embedding_directory,
                    tokenizer_data=tokenizer_data or {},
                    clip_name="umt5xxl",
                    tokenizer=Words,
                )

        class Encoder(sd1_clip.SD1ClipModel):
            def __init__(self, device="cpu", dtype=None, model_options=None, **more):
                super().__init__(
                    device=device,
                    dtype=dtype,
                    model_options=model_options or {},
                    name="umt5xxl",
                    clip_model=Model,
                    **more,
                )

        class Target:
            params, clip, tokenizer = {}, Encoder, Tokenizer

        made = comfy.sd.CLIP(Target, tokenizer_data={"spiece_model": words_of(SENTENCES)})
        rng = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for name, parameter in made.cond_stage_model.named_parameters():
                parameter.copy_(
                    (1.0 if "norm" in name else 0.0) + 0.3 * torch.randn(parameter.shape, generator=rng)
                )
        return (made,)


class MemoryEnds:
    """A MODEL on a card whose memory ends at a call of its attention."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "calls": ("INT", {"default": 0}),
                "kind": ("STRING", {"default": "card"}),
            }
        }

    def make(self, model, calls, kind):
        made, seen = model.clone(), [0]

        def attention(function, *given, **named):
            seen[0] += 1
            if seen[0] > calls:
                raise (
                    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
                    if kind == "card"
                    else RuntimeError(
                        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                        "memory"
                    )
                )
            return function(*given, **named)

        made.model_options["transformer_options"] = {
            **made.model_options["transformer_options"],
            "optimized_attention_override": attention,
        }
        return (made,)


class SeenPicture:
    """A CONDITIONING with what CLIP vision sees in a start image, where the host's Wan nodes put it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"positive": ("CONDITIONING",), "seed": ("INT", {"default": 0})}}

    def make(self, positive, seed):
        from comfy.clip_vision import Output
        from node_helpers import conditioning_set_values

        seen = Output()
        seen.penultimate_hidden_states = torch.randn(
            1, 257, 1280, generator=torch.Generator().manual_seed(seed)
        )
        return (conditioning_set_values(positive, {"clip_vision_output": seen}),)


class SmallClipVision:
    """The host's CLIP vision, as wide as ViT-H (or not) and two layers deep."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("CLIP_VISION",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"width": ("INT", {"default": 1280})}}

    def make(self, width):
        from comfy.clip_vision import ClipVisionModel

        about = {
            "model_type": "clip_vision_model",
            "hidden_size": width,
            "intermediate_size": 64,
            "image_size": 224,
            "patch_size": 14,
            "num_attention_heads": width // 64,
            "num_channels": 3,
            "num_hidden_layers": 2,
            "projection_dim": 8,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-05,
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(about, file)
            file.flush()
            made = ClipVisionModel(file.name)
        rng = torch.Generator().manual_seed(4)
        state = {
            key: 0.1 * torch.randn(value.shape, generator=rng) if value.is_floating_point() else value
            for key, value in made.model.state_dict().items()
        }
        made.load_sd(state)
        seen = made.encode_image

        def encode_image(image, crop=True):
            logging.info("CLIP vision saw %s, crop %s", tuple(image.shape), crop)
            return seen(image, crop=crop)

        made.encode_image = encode_image
        return (made,)


class Packed(torch.Tensor):
    """A matrix as bytes: rows of blocks, each a half-precision scale and 32 signed bytes. As loaders of GGUF
    files have it, it tells the shape that it stands for, is its own clone, and carries its LoRAs until it is
    unpacked.
    """

    @staticmethod
    def of(matrix):
        blocks = matrix.float().reshape(len(matrix), -1, 32)
        scale = (blocks.abs().amax(2, keepdim=True) / 127).half()
        whole = (blocks / scale.float()).round().clamp(-127, 127).to(torch.int8)
        made = torch.cat([scale.view(torch.uint8), whole.view(torch.uint8)], 2).flatten(1).as_subclass(Packed)
        made.stands_for, made.patches = matrix.shape, []
        return made

    def unpacked(self, dtype):
        blocks = self.as_subclass(torch.Tensor).reshape(self.stands_for[0], -1, 34)
        whole = blocks[..., :2].contiguous().view(torch.float16).to(dtype) * blocks[
            ..., 2:
        ].contiguous().view(torch.int8).to(dtype)
        weight = whole.reshape(self.stands_for)
        for patches, key in self.patches:
            weight = comfy.lora.calculate_weight(patches, weight, key)
        return weight

    @property
    def shape(self):
        return getattr(self, "stands_for", None) or self.size()

    def to(self, *given, **named):
        made = super().to(*given, **named)
        made.stands_for, made.patches = self.shape, list(getattr(self, "patches", []))
        return made

    def clone(self, *given, **named):
        return self

    detach = clone


class PackedOps(comfy.ops.manual_cast):
    class Linear(comfy.ops.manual_cast.Linear):
        """Has no weight until it is given one, which may be packed."""

        def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
            torch.nn.Module.__init__(self)
            self.in_features, self.out_features, self.weight, self.bias = (
                in_features,
                out_features,
                None,
                None,
            )
            self.weight_function, self.bias_function, self.comfy_cast_weights = [], [], True

        def _load_from_state_dict(self, state, prefix, *rest):
            for name in ("weight", "bias"):
                setattr(self, name, torch.nn.Parameter(state[prefix + name], requires_grad=False))

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            destination[prefix + "weight"] = torch.zeros(self.weight.size(), device="meta")

        def forward(self, x):
            weight = (
                self.weight.unpacked(x.dtype) if isinstance(self.weight, Packed) else self.weight.to(x.dtype)
            )
            return torch.nn.functional.linear(x, weight, self.bias.to(x.dtype))


class PackedPatcher(comfy.model_patcher.ModelPatcher):
    low = False

    def clone(self, *given, **named):
        self.__class__, kind = PackedPatcher, self.__class__
        made = super().clone(*given, **named)
        self.__class__, made.low = kind, self.low if kind is PackedPatcher else False
        return made

    def load(self, *given, **named):
        if self.low:
            named["lowvram_model_memory"] = 1
        super().load(*given, **{**named, "force_patch_weights": True})

    def patch_weight_to_device(self, key, device_to=None, inplace_update=False, **named):
        weight = comfy.utils.get_attr(self.model, key)
        if not isinstance(weight, Packed):
            return super().patch_weight_to_device(key, device_to, inplace_update, **named)
        if key in self.patches:
            made = weight.to(device_to)
            made.patches = [(self.patches[key], key)]
            comfy.utils.set_attr_param(self.model, key, made)

    def unpatch_model(self, device_to=None, unpatch_weights=True):
        for weight in self.model.parameters() if unpatch_weights else ():
            if isinstance(weight, Packed):
                weight.patches = []
        return super().unpatch_model(device_to=device_to, unpatch_weights=unpatch_weights)


class PackedLoader:
    """Load Diffusion Model as packs for quantised files have it: layers, tensors and patcher of its own. With
    `packed` off, what the packed matrices stand for.
    """

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "unet_name": ("STRING", {}),
                "packed": ("BOOLEAN", {"default": True}),
                "low": ("BOOLEAN", {"default": False}),
            }
        }

    def make(self, unet_name, packed, low):
        state, about = comfy.utils.load_torch_file(
            folder_paths.get_full_path("diffusion_models", unet_name), return_metadata=True
        )
        for key in [key for key, value in state.items() if "blocks" in key and value.ndim == 2]:
            state[key] = Packed.of(state[key]) if packed else Packed.of(state[key]).unpacked(torch.float32)
        made = comfy.sd.load_diffusion_model_state_dict(
            state, model_options={"custom_operations": PackedOps} if packed else {}, metadata=about
        )
        if not packed:
            return (made,)
        made = PackedPatcher.clone(made)
        made.low = low
        return (made,)


NODE_CLASS_MAPPINGS = {
    "PackedLoader": PackedLoader,
    "SeenPicture": SeenPicture,
    "SmallClipVision": SmallClipVision,
    "SmallUmt5": SmallUmt5,
    "MemoryEnds": MemoryEnds,
}
