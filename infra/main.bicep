// All resources in one resource group except the two apps. `azd up` provisions this file, builds and pushes the image
// and then deploys infra/api.bicep and infra/worker.bicep with it, so that no app runs a placeholder image.
// docs/operations.md derives the numbers and says which roles each mode needs.
targetScope = 'subscription'

@description('Name of the environment, a part of every resource name. azd sets it.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region.')
@minLength(1)
param location string

@description('keyless: the apps access storage with their identities, and the account keys are disabled. keyVault: a connection string in the Key Vault secret StorageCS, as in the .NET sample.')
@allowed(['keyless', 'keyVault'])
param credentialMode string = 'keyless'

@description('Task queue; the scheduled queue and the poison queue have its name with a suffix.')
@minLength(3)
@maxLength(53)
param queueName string = 'taskqueue'

@description('true gives High and Low tasks queues of their own, from which workers receive first and last. As text, because azd passes its variables as text.')
@allowed(['true', 'false'])
param priorityQueues string = 'false'

@description('true lets operators pause the queue: each worker then reads the pause before it receives, at most every 5 s.')
@allowed(['true', 'false'])
param queuePause string = 'false'

@description('true lets operators store schedules: tasks that are due again and again.')
@allowed(['true', 'false'])
param schedules string = 'false'

@description('Container of the status documents; the container of poison originals has its name with a suffix.')
@minLength(3)
@maxLength(56)
param containerName string = 'tasks'

@description('Days for which a terminal task is kept: 1 to 3650. A number as text, because azd passes its variables as text; the same holds for the numbers below.')
param retentionDays string = '30'

@description('The largest retention_days of a rule in task_handlers, if it is larger than retentionDays: 0 to 3650. The lifecycle rules of the account must not delete such tasks before.')
param ruleRetentionDays string = '0'

@description('Standard_ZRS survives the loss of a zone; Standard_GZRS keeps a copy in a second region as well. Regions without zones need LRS or GRS.')
@allowed(['Standard_ZRS', 'Standard_GZRS', 'Standard_LRS', 'Standard_GRS'])
param replication string = 'Standard_ZRS'

@description('Resource id of an action group that receives the alerts; empty creates the alerts without one.')
param actionGroupId string = ''

@description('Age in minutes of the oldest message without a finished task that raises an alert: 15 to 110, and more than task_timeout_seconds.')
param staleMinutes string = '45'

@description('An alert is raised if more than this number of drains within 15 minutes gave a task up.')
param poisonThreshold string = '0'

@description('An alert is raised if the worker logged more than this number of errors within 15 minutes.')
param errorThreshold string = '0'

// json() of a sentence ends the deployment with that sentence.
var isRetention = int(retentionDays) >= 1 && int(retentionDays) <= 3650
var checkedRetentionDays = isRetention ? int(retentionDays) : json('retentionDays (ACCEPTED_RETENTION_DAYS) is ${retentionDays}, but must be 1 to 3650')
var isRuleRetention = int(ruleRetentionDays) >= 0 && int(ruleRetentionDays) <= 3650
var checkedRuleRetentionDays = isRuleRetention ? int(ruleRetentionDays) : json('ruleRetentionDays (ACCEPTED_RULE_RETENTION_DAYS) is ${ruleRetentionDays}, but must be 0 to 3650')
var longestRetentionDays = max(checkedRetentionDays, checkedRuleRetentionDays)
// The query of the alert covers two hours.
var isStaleness = int(staleMinutes) >= 15 && int(staleMinutes) <= 110
var checkedStaleMinutes = isStaleness ? int(staleMinutes) : json('staleMinutes (ACCEPTED_STALE_MINUTES) is ${staleMinutes}, but must be 15 to 110')

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: { location: location, tags: tags, workspaceName: 'log-${token}' }
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: { location: location, tags: tags, suffix: token }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  scope: group
  params: { location: location, tags: tags, registryName: 'cr${token}', pullPrincipalId: identities.outputs.pullPrincipalId }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    accountName: 'st${token}'
    queueName: queueName
    containerName: containerName
    retentionDays: longestRetentionDays
    allowSharedKey: credentialMode == 'keyVault'
    replication: replication
    workspaceId: monitoring.outputs.workspaceId
  }
}

module storageRoles 'modules/storage-roles.bicep' = {
  name: 'storage-roles'
  scope: group
  params: {
    accountName: storage.outputs.accountName
    credentialMode: credentialMode
    apiPrincipalId: identities.outputs.apiPrincipalId
    workerPrincipalId: identities.outputs.workerPrincipalId
  }
}

module vault 'modules/key-vault.bicep' = if (credentialMode == 'keyVault') {
  name: 'key-vault'
  scope: group
  params: {
    location: location
    tags: tags
    vaultName: 'kv-${token}'
    accountName: storage.outputs.accountName
    apiPrincipalId: identities.outputs.apiPrincipalId
    workerPrincipalId: identities.outputs.workerPrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module environment 'modules/environment.bicep' = {
  name: 'environment'
  scope: group
  params: { location: location, tags: tags, environmentName: 'cae-${token}', workspaceName: monitoring.outputs.workspaceName }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: actionGroupId
    queueName: queueName
    staleMinutes: checkedStaleMinutes
    poisonThreshold: int(poisonThreshold)
    errorThreshold: int(errorThreshold)
  }
}

// azd stores every output as a variable of its environment; api.parameters.json and worker.parameters.json read them.
output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer
output ACCEPTED_CREDENTIAL_MODE string = credentialMode
output ACCEPTED_ENVIRONMENT_ID string = environment.outputs.environmentId
output ACCEPTED_DEFAULT_DOMAIN string = environment.outputs.defaultDomain
output ACCEPTED_API_NAME string = 'api-${token}'
output ACCEPTED_WORKER_NAME string = 'worker-${token}'
output ACCEPTED_PULL_IDENTITY_ID string = identities.outputs.pullId
output ACCEPTED_API_IDENTITY_ID string = identities.outputs.apiId
output ACCEPTED_API_CLIENT_ID string = identities.outputs.apiClientId
output ACCEPTED_WORKER_IDENTITY_ID string = identities.outputs.workerId
output ACCEPTED_WORKER_CLIENT_ID string = identities.outputs.workerClientId
output ACCEPTED_STORAGE_ACCOUNT string = storage.outputs.accountName
output ACCEPTED_BLOB_HOST string = storage.outputs.blobHost
output ACCEPTED_QUEUE_HOST string = storage.outputs.queueHost
output ACCEPTED_KEY_VAULT_HOST string = credentialMode == 'keyVault' ? 'https://kv-${token}${az.environment().suffixes.keyvaultDns}' : ''
output ACCEPTED_QUEUE_NAME string = queueName
output ACCEPTED_PRIORITY_QUEUES string = priorityQueues
output ACCEPTED_QUEUE_PAUSE string = queuePause
output ACCEPTED_SCHEDULES string = schedules
output ACCEPTED_CONTAINER_NAME string = containerName
output ACCEPTED_RETENTION_DAYS string = retentionDays
