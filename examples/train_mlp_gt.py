#!/usr/bin/env python3
"""Train a three-layer perceptron on a made-up regression problem, with nothing but the basics.

    python examples/train_mlp_gt.py

Exits with 1 unless the loss falls tenfold.
"""

import sys

import gt
from gt.nn import SGD, Linear, Module


class MLP(Module):
    def __init__(self):
        super().__init__()
        self.fc1 = Linear(16, 64)
        self.fc2 = Linear(64, 32)
        self.fc3 = Linear(32, 1)

    def forward(self, x):
        x = gt.tanh(self.fc1(x))
        x = gt.tanh(self.fc2(x))
        return self.fc3(x)


def main():
    gt.manual_seed(0)
    x = gt.randn(256, 16)
    y = gt.sin(x[:, :4].sum(1, keepdims=True)) + 0.5 * x[:, 4:5] * x[:, 5:6]
    model = MLP()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(501):
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch == 0:
            first = loss.item()
        if epoch % 100 == 0:
            print(f"epoch {epoch:3d}   loss {loss.item():.4f}")
    last = loss.item()
    print(f"the loss fell from {first:.4f} to {last:.4f}, to 1/{first / last:.0f}")
    return 0 if last * 10 < first else 1


if __name__ == "__main__":
    sys.exit(main())
