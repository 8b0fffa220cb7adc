#!/usr/bin/env python3
"""A small language model learns the characters of a text, then writes some.

    python examples/char_gpt.py [TEXT] [--seconds 60] [--steps N] [--seed 0]

Two transformer layers see up to 64 characters and guess the next one. The last tenth of the text
is held out; the
measure to beat there is a bigram model, which guesses from one character by counting. Exits with
1 if it does not.
TEXT is GT's own C source unless given.
"""

import argparse
import collections
import glob
import math
import os
import sys
import time

import gt
from gt import nn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONTEXT, WIDTH, HEADS, LAYERS, BATCH = 64, 64, 4, 2, 16


def read_text(path):
    paths = [path] if path else sorted(glob.glob(os.path.join(ROOT, "src", "*", "*.c")))
    parts = []
    for name in paths:
        with open(name, encoding="utf-8") as file:
            parts.append(file.read())
    return "\n".join(parts)


class Block(nn.Module):
    """Attention over what came before, then a perceptron; each added to its input."""

    def __init__(self):
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        n, length, _ = x.shape
        heads = (
            self.qkv(self.norm1(x))
            .reshape(n, length, 3, HEADS, WIDTH // HEADS)
            .permute(2, 0, 3, 1, 4)
        )
        y = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
        x = x + self.mix(y.transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.mlp(self.norm2(x))


class CharGPT(nn.Module):
    def __init__(self, characters):
        self.characters = nn.Embedding(characters, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, characters)
        for table in (self.characters, self.places):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, x):
        h = self.characters(x) + self.places(gt.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.out(self.norm(h))


def windows(codes, starts):
    """Characters CONTEXT at a time and, shifted by one, what follows each."""
    at = starts.unsqueeze(1) + gt.arange(CONTEXT)
    return codes[at], codes[at + 1]


def loss_of(model, x, y):
    logits = model(x)
    return nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def held_out_loss(model, codes):
    """Mean over windows side by side, a few at a time."""
    with gt.no_grad():
        starts = gt.arange(0, len(codes) - CONTEXT - 1, CONTEXT)
        losses = [loss_of(model, *windows(codes, part)) * len(part) for part in starts.split(64)]
        return sum(x.item() for x in losses) / len(starts)


def bigram_loss(training, held_out, characters):
    """Of counts of pairs, each pair counted once more than it was seen."""
    pairs = collections.Counter(zip(training, training[1:]))
    firsts = collections.Counter(training[:-1])
    total = sum(
        -math.log((pairs[a, b] + 1) / (firsts[a] + characters))
        for a, b in zip(held_out, held_out[1:])
    )
    return total / (len(held_out) - 1)


def write(model, start, characters, length):
    """Characters drawn one after another from what the model expects."""
    codes = [characters.index(c) for c in start]
    with gt.no_grad():
        for _ in range(length):
            expected = gt.softmax(model(gt.tensor([codes[-CONTEXT:]]))[0, -1] / 0.8, 0).tolist()
            draw, k = gt.rand(1).item() * sum(expected), 0
            while k + 1 < len(expected) and draw >= expected[k]:
                draw -= expected[k]
                k += 1
            codes.append(k)
    return "".join(characters[k] for k in codes)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="?", help="a UTF-8 text file")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--steps", type=int, help="so many, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    text = read_text(args.text)
    if len(text) < 20 * CONTEXT:
        sys.exit(
            f"char_gpt.py: {len(text)} characters are too few to learn from; {20 * CONTEXT} are "
            f"the least"
        )

    gt.manual_seed(args.seed)
    characters = sorted(set(text))
    codes = [characters.index(c) for c in text]
    cut = len(codes) * 9 // 10
    training, held_out = gt.tensor(codes[:cut]), gt.tensor(codes[cut:])
    model = CharGPT(len(characters))
    optimizer = nn.AdamW(model.parameters(), lr=2e-3)
    print(
        f"{len(text)} characters, {len(characters)} different; "
        f"{sum(p.numel() for p in model.parameters())} parameters"
    )

    begin = shown = time.perf_counter()
    step = 0
    while step < args.steps if args.steps else time.perf_counter() - begin < args.seconds:
        step += 1
        loss = loss_of(model, *windows(training, gt.randint(0, cut - CONTEXT - 1, (BATCH,))))
        optimizer.zero_grad()
        loss.backward()
        nn.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 10 == 0:
            gt.synchronize()
        if time.perf_counter() - shown > args.seconds / 10:
            shown = time.perf_counter()
            print(f"{shown - begin:5.0f} s   step {step:5d}   loss {loss.item():.3f}", flush=True)

    ours, theirs = held_out_loss(model, held_out), bigram_loss(
        codes[:cut], codes[cut:], len(characters)
    )
    print(f"held-out loss after {step} steps: {ours:.3f}; bigram model: {theirs:.3f}")
    print("---", write(model, text[cut : cut + 8], characters, 300), "---", sep="\n")
    return 0 if ours < theirs else 1


if __name__ == "__main__":
    sys.exit(main())
