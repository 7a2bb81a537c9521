# %% 1: that is the penalty that the page prints
def penalty(W):
    return 0.1 * (W * W).sum()


# %% 1: twice what is needed
def penalty(W):
    return 0.05 * (W * W).sum()


# %% 1: a penalty is one number; this has the shape (3, 2)
def penalty(W):
    return 0.05 * W


# %% 1: should be one number times W
def penalty(W):
    return 0.05 * W.abs().sum()


# %% 1: has forgotten W
def penalty(W):
    return tg.tensor(0.025 * (W * W).sum().item())


# %% 1: is no tensor
def penalty(W):
    return 0.025 * (W * W).sum().item()


# %% 1: does not print as the page's
def penalty(W):
    return 0.04 / 2 * (W * W).sum()


# %% 1: None is no tensor
def penalty(W):
    0.025 * (W * W).sum()


# %% 2: weston_watkins is not [1, -1, 1]: both rivals
weston_watkins, structured, one_vs_all = [1, -1, 1], [1, -1, 0], [1, 0, 1]

# %% 2: weston_watkins has the wrong sign
weston_watkins, structured, one_vs_all = [-1, 2, -1], [1, -1, 0], [1, 0, 1]

# %% 2: structured is not [1, -2, 1]: only the strongest
weston_watkins, structured, one_vs_all = [1, -2, 1], [1, -2, 1], [1, 0, 1]

# %% 2: one_vs_all is not [1, -1, 1]: each score by itself
weston_watkins, structured, one_vs_all = [1, -2, 1], [1, -1, 0], [1, -1, 1]

# %% 2: structured needs three numbers
weston_watkins, structured, one_vs_all = [1, -2, 1], [1, -1], [1, 0, 1]


# %% 3: Is the right class among its own rivals?
def structured_loss(scores, labels):
    own = (scores * F.one_hot(labels, scores.shape[1])).sum(1)
    return tg.relu(scores.amax(1) - own + 1).mean()


# %% 3: yours is 1.0000
def structured_loss(scores, labels):
    return tg.relu(scores.amax(1) - scores.amax(1) + 1).mean()


# %% 3: Where is the margin?
def structured_loss(scores, labels):
    own = (scores * F.one_hot(labels, scores.shape[1])).sum(1)
    return tg.relu(scores.amax(1) - own).mean()


# %% 3: for scores of shape (9, 3) the loss is 0.1928, yours is 0.2128
def structured_loss(scores, labels):
    right = F.one_hot(labels, scores.shape[1])
    own = (scores * right).sum(1)
    rival = (scores * (1 - right)).amax(1)
    return tg.relu(rival - own + 1).mean()


# %% 3: Do all rivals count?
def structured_loss(scores, labels):
    right = F.one_hot(labels, scores.shape[1])
    own = (scores * right).sum(1, keepdim=True)
    return (tg.relu(scores - own + 1) * (1 - right)).sum(1).mean()


# %% 3: Is it the sum?
def structured_loss(scores, labels):
    return len(scores) * F.structured_svm_loss(scores, labels)


# %% 3: one number, of shape ()
def structured_loss(scores, labels):
    return F.structured_svm_loss(scores, labels, reduction="none")


# %% 3: has forgotten the scores
def structured_loss(scores, labels):
    return F.structured_svm_loss(tg.tensor(scores.tolist()), labels)


# %% 3: but not the gradient
def structured_loss(scores, labels):
    right = F.one_hot(labels, scores.shape[1])
    own = (scores.detach() * right).sum(1)
    rival = scores.masked_fill(right == 1, -np.inf).amax(1)
    return tg.relu(rival - own + 1).mean()
