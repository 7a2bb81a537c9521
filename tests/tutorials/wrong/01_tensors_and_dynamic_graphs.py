# %% 1: 1 + 1 is not 3
two = 3

# %% 2: 1 + 1 is not 3
two = 3

# %% 3: 1 + 1 is not 3
two = 3
