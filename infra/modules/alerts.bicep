// Two alerts: work was given up, and work is not being taken up. Both read the launcher's log lines.
param location string
param tags object
param workspaceId string
param actionGroupId string

var actionGroups = empty(actionGroupId) ? [] : [actionGroupId]

resource poison 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = {
  name: 'accepted-poison'
  location: location
  tags: tags
  properties: {
    displayName: 'Accepted: tasks were moved to the poison queue'
    severity: 2
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      allOf: [
        {
          query: 'ContainerAppConsoleLogs_CL | where ContainerName_s == "worker" | extend line = parse_json(Log_s) | where toint(line.poisoned) > 0'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: { actionGroups: actionGroups }
  }
}
