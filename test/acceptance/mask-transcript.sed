#!/usr/bin/sed -Ef
# Masks what differs between two runs of the demo.
s/(ada|admin)-[0-9a-f]{6}/\1-SUFFIX/g
s/(\/batches\/|"id":")[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/\1BATCH-ID/g
s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/REQUEST-ID/g
s/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g
s/│ [0-9]+\.?[0-9]* +│$/│ MS │/
s/"rows_per_second":[0-9.]+/"rows_per_second":RATE/
