"""AUROC of drawn scores by sklearn: python test/golden/make-auroc.py > test/golden/auroc.json"""

import json
import random

import sklearn
from sklearn.metrics import roc_auc_score

random.seed(0)
cases = []
for k in range(24):
    n = random.choice([2, 5, 20, 100])
    # Every other case draws from five numbers, so that most scores are tied.
    scores = [random.randrange(5) if k % 2 else random.gauss(0, 1) for _ in range(n)]
    circuit = sorted(random.sample(range(n), random.randrange(1, n)))
    labels = [int(i in circuit) for i in range(n)]
    cases.append({"scores": scores, "circuit": circuit, "auroc": roc_auc_score(labels, scores)})
print(json.dumps({"sklearn": sklearn.__version__, "cases": cases}))
