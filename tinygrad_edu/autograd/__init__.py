from .engine import backward, grad, steps, Step
