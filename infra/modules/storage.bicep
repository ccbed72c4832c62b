// The account, its containers and queues, and the rules that delete what the workers did not purge.
param location string
param tags object
param accountName string
param queueName string
param containerName string
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
    // Callers read Location with a SAS from wherever they are.
    publicNetworkAccess: 'Enabled'
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
}

// Documents and results; and the originals of poison messages that their copies had no room for.
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
  for suffix in ['', '-scheduled', '-poison']: {
    parent: queues
    name: '${queueName}${suffix}'
  }
]

// The workers purge finished tasks when they expire; this catches what is left when no worker ever wakes. It counts from
// the last write and knows no states: a document may sleep for 7 days until its task is due, and a month without a
// worker must not cost a task. Copies in the poison queue are looked at by people, and so are their originals.
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
    // What the alert on the oldest message reads: about 1 KB per message put, extended or deleted.
    logs: [
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output accountName string = account.name
// Scheme and host without a path, as Spin's allowed_outbound_hosts wants them.
output blobHost string = 'https://${account.name}.blob.${environment().suffixes.storage}'
output queueHost string = 'https://${account.name}.queue.${environment().suffixes.storage}'
