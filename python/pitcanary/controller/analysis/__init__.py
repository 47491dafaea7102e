"""What sealed evidence says about a rollout: folded, judged, and whether to believe it.

`folded` keeps the state over seals, `reading` folds and judges, `facts` asks how
trustworthy the counts are, `thresholds` chooses where tails are counted. All are
functions of stored bytes and a time that is handed in.
"""
