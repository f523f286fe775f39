/**
 * How many jobs of each pipeline ever came to each status, and are in it now: what is folded, and what is not yet. A fold
 * moves it in one transaction, and this is one statement, so that nothing is seen twice or not at all.
 */
export const READ_JOB_COUNTS = `
SELECT pipeline, status, sum(entered)::float8 AS entered, sum(entered - departed)::float8 AS current
FROM (SELECT pipeline, status, entered, departed FROM job_counts
      UNION ALL SELECT pipeline, became, jobs, 0 FROM job_changes WHERE became IS NOT NULL
      UNION ALL SELECT pipeline, was, 0, jobs FROM job_changes WHERE was IS NOT NULL) counted
GROUP BY pipeline, status`;
