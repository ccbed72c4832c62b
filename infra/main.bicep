// Everything Accepted needs in one resource group: `azd up` from the repository's root.
// docs/operations.md derives the numbers and says which roles each mode needs.
targetScope = 'subscription'

@description('Name of the environment; part of every resource name. azd fills it in.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region.')
@minLength(1)
param location string

@description('keyless: the apps reach storage with their identity and the account has no usable key. keyVault: as the .NET sample, a connection string in Key Vault secret StorageCS.')
@allowed(['keyless', 'keyVault'])
param credentialMode string = 'keyless'

@description('Image of both apps. azd replaces it on deploy; the first provisioning needs one that exists.')
param image string = 'mcr.microsoft.com/k8se/quickstart:latest'

@description('Queue of the tasks; the scheduled and poison queues carry its name and a suffix.')
@minLength(3)
@maxLength(53)
param queueName string = 'taskqueue'

@description('Container of the status documents.')
@minLength(3)
@maxLength(63)
param containerName string = 'tasks'

@description('Minutes for which the Location of an accepted task can be read without credentials.')
param sasTokenExpiryMinutes string = '10'

@description('Who may call the API: none, api-key or easy-auth (which needs authentication to be configured on the app).')
@allowed(['none', 'api-key', 'easy-auth'])
param apiAuth string = 'none'

@description('SHA-256 digests of the accepted API keys, lower-case hexadecimal, comma-separated. Needed by api-key.')
param apiKeyHashes string = ''

@description('Days for which a finished task is kept.')
@minValue(1)
@maxValue(3650)
param retentionDays int = 30

@description('Object id of an action group that receives the alerts; empty creates the alerts without one.')
param actionGroupId string = ''

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
    retentionDays: retentionDays
    allowSharedKey: credentialMode == 'keyVault'
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

var keyVaultHost = credentialMode == 'keyVault' ? 'https://kv-${token}${az.environment().suffixes.keyvaultDns}' : ''

module api 'modules/api-app.bicep' = {
  name: 'api-app'
  scope: group
  dependsOn: [storageRoles]
  params: {
    location: location
    tags: union(tags, { 'azd-service-name': 'api' })
    appName: 'api-${token}'
    environmentId: environment.outputs.environmentId
    image: image
    registryServer: registry.outputs.loginServer
    pullIdentityId: identities.outputs.pullId
    identityId: identities.outputs.apiId
    identityClientId: identities.outputs.apiClientId
    storageAccountName: credentialMode == 'keyless' ? storage.outputs.accountName : ''
    blobHost: storage.outputs.blobHost
    queueHost: storage.outputs.queueHost
    keyVaultHost: keyVaultHost
    queueName: queueName
    containerName: containerName
    sasTokenExpiryMinutes: sasTokenExpiryMinutes
    retentionDays: retentionDays
    apiAuth: apiAuth
    apiKeyHashes: apiKeyHashes
  }
}

module worker 'modules/worker-app.bicep' = {
  name: 'worker-app'
  scope: group
  dependsOn: [storageRoles]
  params: {
    location: location
    tags: union(tags, { 'azd-service-name': 'worker' })
    appName: 'worker-${token}'
    environmentId: environment.outputs.environmentId
    image: image
    registryServer: registry.outputs.loginServer
    pullIdentityId: identities.outputs.pullId
    identityId: identities.outputs.workerId
    identityClientId: identities.outputs.workerClientId
    accountName: storage.outputs.accountName
    storageAccountName: credentialMode == 'keyless' ? storage.outputs.accountName : ''
    blobHost: storage.outputs.blobHost
    queueHost: storage.outputs.queueHost
    keyVaultHost: keyVaultHost
    queueName: queueName
    containerName: containerName
    retentionDays: retentionDays
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: actionGroupId
  }
}

// azd keeps every output as a variable of its environment.
output AZURE_LOCATION string = location
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer
output API_BASE_URL string = api.outputs.baseUrl
output STORAGE_ACCOUNT_NAME string = storage.outputs.accountName
