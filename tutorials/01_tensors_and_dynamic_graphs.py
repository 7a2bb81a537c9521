# %% [markdown]
# # 1. Tensors and dynamic graphs
#
# **Who draws the graph of a computation, and when?**

# %%
import matplotlib.pyplot as plt

import tinygrad_edu as tg
from tinygrad_edu.exercises import check

tg.manual_seed(0)
plt.style.use("tinygrad_edu.figures")

# %% tags=["cover"]
x = tg.tensor(3.0, requires_grad=True)
y = x * x
tg.draw(y)

# %% [markdown]
# ## Exercise 1
#
# What is 1 + 1?

# %% tags=["exercise"]
two = ...

# %% tags=["check"]
with check(two):
    assert two == 2, f"1 + 1 is not {two}."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# two = 1 + 1
# ```
#
# </details>

# %% [markdown]
# ## Exercise 2
#
# What is 1 + 1?

# %% tags=["exercise"]
two = ...

# %% tags=["check"]
with check(two):
    assert two == 2, f"1 + 1 is not {two}."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# two = 1 + 1
# ```
#
# </details>

# %% [markdown]
# ## Exercise 3
#
# What is 1 + 1?

# %% tags=["exercise"]
two = ...

# %% tags=["check"]
with check(two):
    assert two == 2, f"1 + 1 is not {two}."

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# two = 1 + 1
# ```
#
# </details>
