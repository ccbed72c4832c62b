// Alerts that need an operator: a task was given up, messages are not processed, the worker logs errors.
param location string
param tags object
param workspaceId string
param actionGroupId string
param queueName string
param staleMinutes int
param poisonThreshold int
param errorThreshold int

var actionGroups = empty(actionGroupId) ? [] : [actionGroupId]

// Both apps write one JSON object per line. The lines of the worker app come from the launcher and the component.
var workerLines = 'ContainerAppConsoleLogs_CL | where ContainerName_s == "worker" | extend line = parse_json(Log_s)'

// The time of the oldest PutMessage after the last DeleteMessage. There is no metric for the age of a message, so it comes
// from the logs of storage. GetMessages does not count, because a message that no worker can process is received
// repeatedly.
var queueLines = 'let lines = StorageQueueLogs | where TimeGenerated > ago(2h) | where Uri matches regex "/${queueName}(-high|-low)?/messages";'
var lastDeletion = 'let last = toscalar(lines | where OperationName == "DeleteMessage" | summarize max(TimeGenerated));'
var oldestPut = 'lines | where OperationName == "PutMessage" and (isnull(last) or TimeGenerated > last) | summarize oldest = min(TimeGenerated) | where oldest < ago(${staleMinutes}m)'

var rules = [
  {
    name: 'poison'
    title: 'Accepted: tasks were moved to the poison queue'
    severity: 2
    query: '${workerLines} | where toint(line.poisoned) > 0'
    window: 'PT15M'
    threshold: poisonThreshold
  }
  {
    name: 'oldest-message'
    title: 'Accepted: no task was finished although the oldest message has waited for ${staleMinutes} minutes'
    severity: 1
    query: '${queueLines} ${lastDeletion} ${oldestPut}'
    window: 'PT2H'
    threshold: 0
  }
  {
    name: 'worker-refused'
    title: 'Accepted: the worker cannot work (configuration, credentials or roles)'
    severity: 1
    query: '${workerLines} | where line.level == "error"'
    window: 'PT15M'
    threshold: errorThreshold
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = [
  for rule in rules: {
    name: 'accepted-${rule.name}'
    location: location
    tags: tags
    properties: {
      displayName: rule.title
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT15M'
      windowSize: rule.window
      // The tables are created with their first line; before that a query on them fails.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: rule.threshold
          }
        ]
      }
      actions: { actionGroups: actionGroups }
    }
  }
]
