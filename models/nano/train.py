"""Trains millrace-nano on a CPU and writes it as GGUF (architecture llama, byte-level BPE).

    OMP_NUM_THREADS=1 python3 train.py OUT.gguf MINUTES [START.gguf [RATE]]

With START it goes on from those weights and keeps their tokenizer; without, it begins from nothing. RATE is a share of the learning
rates, for a last round.

Needs torch, numpy and regex. In the order of the file: tokenizer, batches, model, GGUF, training.
"""
import math
import random
import struct
import sys
import time

import numpy as np
import regex
import torch
import torch.nn.functional as F
from torch import nn

from data import conversation

VOCAB, DIM, LAYERS, HEADS, KV_HEADS, FFN, CONTEXT = 3072, 192, 6, 6, 3, 512, 1024
HEAD_DIM = DIM // HEADS
ROPE_BASE, NORM_EPSILON = 10000.0, 1e-5

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
# The pre-tokenizer that llama.cpp calls qwen2: digits stand alone, which a small model needs for sums.
SPLIT = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# (rows, tokens in a row, turns of a conversation, share): long rows cost most and teach only where a place is.
SHAPES = [(12, 256, (1, 1, 1, 2, 3), 0.9), (3, CONTEXT, (4, 8, 10, 12), 0.1)]
MATRIX_RATE, VECTOR_RATE, WARMUP_STEPS, WEIGHT_DECAY = 2e-3, 2e-3, 10, 0.05
# The rate stays at its peak, and goes down to nothing in this last part of the time.
COOLING_SHARE = 0.4
TOKENIZER_CONVERSATIONS = 12000
TOKENIZER_SEED, DATA_SEED, TORCH_SEED = 1, 2, 7

PROBES = ["What is 47 + 38?", "8 乘以 7 等于多少？", "什么是灰度发布？", "Who are you?", "法国的首都是哪里？",
          "Tell me a story.", "What is a hold?", "你好", "Who wrote Hamlet?", "推荐一部电影"]


# --- Tokenizer: byte-level BPE as in GPT-2 -------------------------------------------------------------------------

def byte_chars():
    """GPT-2's printable stand-ins for the 256 bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in keep}
    stand_in = 256
    for b in range(256):
        if b not in table:
            table[b] = chr(stand_in)
            stand_in += 1
    return table


BYTES = byte_chars()


def merge_pair(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def train_bpe(texts, size):
    """The `size` tokens and their merges: each round joins the pair that occurs most often."""
    words = {}
    for text in texts:
        for piece in SPLIT.findall(text):
            word = tuple(BYTES[b] for b in piece.encode())
            words[word] = words.get(word, 0) + 1
    vocabulary, merges = [BYTES[b] for b in range(256)], []
    while len(vocabulary) < size:
        pairs = {}
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + count
        best = max(pairs, key=lambda pair: (pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        vocabulary.append("".join(best))
        joined = {}
        for word, count in words.items():
            word = merge_pair(word, best)
            joined[word] = joined.get(word, 0) + count
        words = joined
    return vocabulary, merges


def render(messages):
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in messages)


class Tokenizer:
    SPECIALS = regex.compile("(" + "|".join(map(regex.escape, SPECIAL)) + ")")

    def __init__(self, base=None, merges=None):
        if base is None:
            rng = random.Random(TOKENIZER_SEED)
            texts = [self.SPECIALS.sub("", render(conversation(rng, 1))) for _ in range(TOKENIZER_CONVERSATIONS)]
            base, merges = train_bpe(texts, VOCAB - len(SPECIAL))
        self.base, self.merges = base, merges
        self.tokens = self.base + SPECIAL
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.rank = {pair: i for i, pair in enumerate(self.merges)}
        self.cache = {}

    def encode_piece(self, piece):
        if piece not in self.cache:
            word = [BYTES[b] for b in piece.encode()]
            while len(word) > 1:
                i = min(range(len(word) - 1), key=lambda i: self.rank.get((word[i], word[i + 1]), 1 << 30))
                if (word[i], word[i + 1]) not in self.rank:
                    break
                word[i:i + 2] = [word[i] + word[i + 1]]
            self.cache[piece] = [self.ids[t] for t in word]
        return self.cache[piece]

    def encode(self, text):
        out = []
        for part in self.SPECIALS.split(text):
            if part in SPECIAL:
                out.append(self.ids[part])
            else:
                for piece in SPLIT.findall(part):
                    out.extend(self.encode_piece(piece))
        return out

    def decode(self, ids):
        byte_of = {char: byte for byte, char in BYTES.items()}
        pieces = (self.tokens[i] for i in ids)
        data = b"".join(p.encode() if p in SPECIAL else bytes(byte_of[c] for c in p) for p in pieces)
        return data.decode("utf-8", "replace")


# --- Batches -------------------------------------------------------------------------------------------------------

def example(tokenizer, rng, turns):
    """Token ids, and a mask that is 1 where the assistant speaks."""
    ids, mask = [], []
    for role, text in conversation(rng, turns):
        head = tokenizer.encode(f"<|im_start|>{role}\n")
        body = tokenizer.encode(f"{text}<|im_end|>")
        tail = tokenizer.encode("\n")
        ids += head + body + tail
        mask += [0] * len(head) + [1 if role == "assistant" else 0] * len(body) + [0] * len(tail)
    return [*ids, tokenizer.ids["<|endoftext|>"]], [*mask, 0]


def rows_of(tokenizer, rng, rows, width, turns):
    """Endless (input, target, assistant mask); conversations run on across rows, so that nothing is padding."""
    ids, mask = [], []
    size = rows * (width + 1)
    while True:
        while len(ids) < size:
            more_ids, more_mask = example(tokenizer, rng, rng.choice(turns))
            ids += more_ids
            mask += more_mask
        a = np.array(ids[:size]).reshape(rows, width + 1)
        b = np.array(mask[:size]).reshape(rows, width + 1)
        ids, mask = ids[size:], mask[size:]
        yield torch.tensor(a[:, :-1]), torch.tensor(a[:, 1:]), torch.tensor(b[:, 1:], dtype=torch.bool)


def batches(tokenizer):
    rng = random.Random(DATA_SEED)
    sources = [rows_of(tokenizer, rng, rows, width, turns) for rows, width, turns, _ in SHAPES]
    shares = [share for *_, share in SHAPES]
    while True:
        yield next(rng.choices(sources, shares)[0])


# --- Model: the llama architecture ---------------------------------------------------------------------------------

class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(DIM))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + NORM_EPSILON) * self.weight


FREQUENCY = 1.0 / (ROPE_BASE ** (torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM))
ANGLE = torch.outer(torch.arange(CONTEXT).float(), FREQUENCY)
COS, SIN = ANGLE.cos(), ANGLE.sin()


def rope(x):
    """Rotates interleaved pairs, which is what llama.cpp expects of the architecture llama."""
    cos, sin = COS[:x.shape[2]], SIN[:x.shape[2]]
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.ffn_norm = Norm(), Norm()
        self.q, self.o = linear(DIM, HEADS * HEAD_DIM), linear(HEADS * HEAD_DIM, DIM)
        self.k, self.v = linear(DIM, KV_HEADS * HEAD_DIM), linear(DIM, KV_HEADS * HEAD_DIM)
        self.gate, self.up, self.down = linear(DIM, FFN), linear(DIM, FFN), linear(FFN, DIM)

    def forward(self, x):
        rows, length, _ = x.shape
        groups = HEADS // KV_HEADS
        h = self.attention_norm(x)
        q = rope(self.q(h).view(rows, length, HEADS, HEAD_DIM).transpose(1, 2))
        k = rope(self.k(h).view(rows, length, KV_HEADS, HEAD_DIM).transpose(1, 2)).repeat_interleave(groups, 1)
        v = self.v(h).view(rows, length, KV_HEADS, HEAD_DIM).transpose(1, 2).repeat_interleave(groups, 1)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(seen.transpose(1, 2).reshape(rows, length, -1))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Nano(nn.Module):
    def __init__(self, vocabulary_size):
        super().__init__()
        self.embed = nn.Embedding(vocabulary_size, DIM)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = Norm()
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02 if p.shape[0] != DIM else 0.02 / math.sqrt(2 * LAYERS))
        nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, x, where=None):
        """Logits at every place, or only `where` they are asked for."""
        h = self.embed(x)
        for block in self.blocks:
            h = block(h)
        return self.norm(h if where is None else h[where]) @ self.embed.weight.T  # tied embeddings


def generate(model, tokenizer, question, think=True, tokens_max=120):
    opening = "<think>\n" if think else "<think>\n\n</think>\n\n"
    ids = tokenizer.encode(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{opening}")
    with torch.no_grad():
        for _ in range(tokens_max):
            token = int(model(torch.tensor([ids]))[0, -1].argmax())
            if token == tokenizer.ids["<|im_end|>"]:
                break
            ids.append(token)
    return tokenizer.decode(ids).split("assistant\n")[-1].replace("\n", "|")


# --- GGUF v3: github.com/ggml-org/ggml/blob/master/docs/gguf.md ----------------------------------------------------

CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
TENSOR_F32, TENSOR_F16, ALIGNMENT = 0, 1, 32
TOKEN_NORMAL, TOKEN_CONTROL, TOKEN_USER_DEFINED = 1, 3, 4


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def u32(value):
    return struct.pack("<II", 4, value)


def string(value):
    return struct.pack("<I", 8) + gguf_string(value)


def strings(values):
    return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(gguf_string, values))


def metadata(tokenizer):
    ids = tokenizer.ids
    token_types = [TOKEN_NORMAL] * len(tokenizer.base) + [TOKEN_CONTROL] * 3 + [TOKEN_USER_DEFINED] * 2
    return {
        "general.architecture": string("llama"),
        "general.name": string("millrace-nano"),
        "general.description": string("Demonstration model, trained from scratch on generated text. It makes many mistakes."),
        "general.license": string("apache-2.0"),
        "general.languages": strings(["en", "zh"]),
        "general.file_type": u32(1),
        "llama.context_length": u32(CONTEXT),
        "llama.embedding_length": u32(DIM),
        "llama.block_count": u32(LAYERS),
        "llama.feed_forward_length": u32(FFN),
        "llama.attention.head_count": u32(HEADS),
        "llama.attention.head_count_kv": u32(KV_HEADS),
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", 6, NORM_EPSILON),
        "llama.rope.dimension_count": u32(HEAD_DIM),
        "llama.rope.freq_base": struct.pack("<If", 6, ROPE_BASE),
        "llama.vocab_size": u32(len(tokenizer.tokens)),
        "tokenizer.ggml.model": string("gpt2"),
        "tokenizer.ggml.pre": string("qwen2"),
        "tokenizer.ggml.tokens": strings(tokenizer.tokens),
        "tokenizer.ggml.token_type": struct.pack(f"<IIQ{len(token_types)}i", 9, 5, len(token_types), *token_types),
        "tokenizer.ggml.merges": strings([f"{a} {b}" for a, b in tokenizer.merges]),
        "tokenizer.ggml.bos_token_id": u32(ids["<|endoftext|>"]),
        "tokenizer.ggml.eos_token_id": u32(ids["<|im_end|>"]),
        "tokenizer.ggml.padding_token_id": u32(ids["<|endoftext|>"]),
        "tokenizer.ggml.add_bos_token": struct.pack("<IB", 7, 0),
        "tokenizer.chat_template": string(CHAT_TEMPLATE),
    }


def named_tensors(model):
    yield "token_embd.weight", model.embed.weight
    yield "output_norm.weight", model.norm.weight
    for i, block in enumerate(model.blocks):
        parts = {
            "attn_norm": block.attention_norm, "attn_q": block.q, "attn_k": block.k, "attn_v": block.v,
            "attn_output": block.o, "ffn_norm": block.ffn_norm, "ffn_gate": block.gate, "ffn_up": block.up,
            "ffn_down": block.down,
        }
        for name, part in parts.items():
            yield f"blk.{i}.{name}.weight", part.weight


def write_gguf(model, tokenizer, path):
    entries = [gguf_string(key) + value for key, value in metadata(tokenizer).items()]
    tensors = list(named_tensors(model))
    infos, data = b"", b""
    for name, parameter in tensors:
        kind = TENSOR_F32 if parameter.dim() == 1 else TENSOR_F16
        array = parameter.detach().numpy().astype(np.float32 if kind == TENSOR_F32 else np.float16)
        infos += gguf_string(name) + struct.pack("<I", array.ndim)
        infos += b"".join(struct.pack("<Q", size) for size in reversed(array.shape))
        infos += struct.pack("<IQ", kind, len(data))
        data += array.tobytes()
        data += b"\0" * (-len(data) % ALIGNMENT)
    head = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(entries)) + b"".join(entries) + infos
    head += b"\0" * (-len(head) % ALIGNMENT)
    with open(path, "wb") as file:
        file.write(head + data)


def read_gguf(path):
    """What write_gguf wrote: the tokens, the merges, and the weights by name."""
    with open(path, "rb") as file:
        data = file.read()
    at = 8

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values[0]

    def text():
        nonlocal at
        length = take("Q")
        at += length
        return data[at - length:at].decode()

    def value(kind):
        if kind == 9:
            of, count = take("I"), take("Q")
            return [value(of) for _ in range(count)]
        return text() if kind == 8 else take({4: "I", 5: "i", 6: "f", 7: "B"}[kind])

    tensor_count, entry_count = take("Q"), take("Q")
    entries = {text(): value(take("I")) for _ in range(entry_count)}
    infos = []
    for _ in range(tensor_count):
        name = text()
        shape = [take("Q") for _ in range(take("I"))]
        infos.append((name, shape[::-1], np.float32 if take("I") == TENSOR_F32 else np.float16, take("Q")))
    start = at + -at % ALIGNMENT
    weights = {
        name: np.frombuffer(data, kind, math.prod(shape), start + offset).reshape(shape).astype(np.float32)
        for name, shape, kind, offset in infos
    }
    base = entries["tokenizer.ggml.tokens"][:-len(SPECIAL)]
    merges = [tuple(merge.split(" ")) for merge in entries["tokenizer.ggml.merges"]]
    return base, merges, weights


# --- Training ------------------------------------------------------------------------------------------------------

class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by five Newton-Schulz rounds: https://kellerjordan.github.io/posts/muon (2024-12-08); scaled as AdamW's steps
    are by arXiv 2502.16982. It needs about half the steps of AdamW here, and a CPU has few."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 0.05)
                x = p.grad.lerp(momentum, 0.95)
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                p.mul_(1 - group["lr"] * WEIGHT_DECAY)
                p.add_(x.T if tall else x, alpha=-group["lr"] * 0.2 * math.sqrt(max(p.shape)))


def learning_rate(step, done):
    """As a share of the peak; `done` is 0 to 1."""
    return min(1, (step + 1) / WARMUP_STEPS, (1 - done) / COOLING_SHARE)


def train(model, tokenizer, out, minutes, rate):
    matrices = [p for p in model.blocks.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if not any(p is matrix for matrix in matrices)]
    optimizers = [Muon(matrices, lr=MATRIX_RATE), torch.optim.AdamW(rest, lr=VECTOR_RATE, betas=(0.9, 0.98), weight_decay=0.0)]
    begin, seen, loss_mean = time.time(), 0, None
    for step, (x, y, mask) in enumerate(batches(tokenizer)):
        done = (time.time() - begin) / (minutes * 60)
        if done >= 1:
            return
        for optimizer, peak in zip(optimizers, (MATRIX_RATE, VECTOR_RATE)):
            optimizer.param_groups[0]["lr"] = peak * rate * learning_rate(step, done)
        loss = F.cross_entropy(model(x, mask), y[mask])
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        seen += x.numel()
        loss_mean = loss.item() if loss_mean is None else 0.95 * loss_mean + 0.05 * loss.item()
        if (step + 1) % 20 == 0:
            speed = seen / (time.time() - begin)
            print(f"step {step + 1} tokens {seen / 1e6:.2f}M loss {loss_mean:.4f} {speed:.0f} tok/s", flush=True)
        if (step + 1) % 100 == 0:
            write_gguf(model, tokenizer, out)


def main():
    out, minutes = sys.argv[1], float(sys.argv[2])
    torch.manual_seed(TORCH_SEED)
    torch.set_num_threads(1)
    base, merges, weights = read_gguf(sys.argv[3]) if len(sys.argv) > 3 else (None, None, None)
    tokenizer = Tokenizer(base, merges)
    print("vocabulary", len(tokenizer.tokens), "merges", len(tokenizer.merges), flush=True)
    model = Nano(len(tokenizer.tokens))
    if weights:
        for name, parameter in named_tensors(model):
            parameter.data = torch.from_numpy(weights[name])
    print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    train(model, tokenizer, out, minutes, float(sys.argv[4]) if len(sys.argv) > 4 else 1)
    write_gguf(model, tokenizer, out)
    for question in PROBES:
        print(question, "=>", generate(model, tokenizer, question), "||", generate(model, tokenizer, question, False))


if __name__ == "__main__":
    main()
