// The account, its containers and queues, and the lifecycle rules for what the workers did not purge.
param location string
param tags object
param accountName string
param queueName string
param containerName string
@description('The longest time for which a terminal task is kept.')
param retentionDays int
@description('Whether account keys work. Only the keyVault mode needs them.')
param allowSharedKey bool
@description('Standard_ZRS survives the loss of a zone; Standard_GZRS keeps a copy in a second region as well.')
param replication string
param workspaceId string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: accountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: replication }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: allowSharedKey
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Callers read Location with a SAS from any network.
    publicNetworkAccess: 'Enabled'
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
}

// Documents and results; originals of poison messages that do not fit in their copies.
resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [
  for suffix in ['', '-poison']: {
    parent: blobs
    name: '${containerName}${suffix}'
    properties: { publicAccess: 'None' }
  }
]

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [
  for suffix in ['', '-scheduled', '-events', '-poison']: {
    parent: queues
    name: '${queueName}${suffix}'
  }
]

// Used with priority_queues. They exist in any case, because the scale rules of a queue that does not exist fail.
resource priorityQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [
  for suffix in ['-high', '-low']: {
    parent: queues
    name: '${queueName}${suffix}'
  }
]

// The workers purge expired tasks; this rule deletes what remains if no worker ever runs. It counts from the last write
// and does not know states: a task may be delayed by 7 days, and a month without a worker must not delete a task.
// Operators inspect the copies in the poison queue and their originals.
var keptDays = max(retentionDays, 7) + 30

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          enabled: true
          name: 'expire-tasks'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${containerName}/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: keptDays } } }
          }
        }
        {
          enabled: true
          name: 'expire-poison-originals'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${containerName}-poison/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: keptDays } } }
          }
        }
      ]
    }
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queues
  properties: {
    workspaceId: workspaceId
    // The alert on the oldest message reads these logs: about 1 KB per message put, updated or deleted.
    logs: [
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output accountName string = account.name
// Scheme and host without a path, the form that Spin's allowed_outbound_hosts requires.
output blobHost string = 'https://${account.name}.blob.${environment().suffixes.storage}'
output queueHost string = 'https://${account.name}.queue.${environment().suffixes.storage}'
