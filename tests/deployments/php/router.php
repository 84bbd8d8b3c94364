<?php

// Answers one request. PHP's own server answers what is not found.

declare(strict_types=1);

require __DIR__ . '/variants.php';

const REQUIRED = ['Project', 'Tenant', 'ConversationId', 'AccessToken', 'ScenarioPath', 'OrchestratorUrl'];

function demand(bool $condition, string $message): void
{
    $condition || throw new Refusal($message, 400);
}

/** Makes a test fail that dialled anything but a line. */
function log_strangers(Behaviour $behaviour, mixed $list): void
{
    foreach (is_array($list) ? $list : [] as $entry) {
        $number = is_object($entry) && ($entry->Name ?? '') === '_Destination' ? $entry->Value ?? '' : '';
        if (is_string($number) && $number !== '' && !isset($behaviour->settings->lines->$number)) {
            file_put_contents('php://stderr', "STRANGER DIALLED $number\n");
        }
    }
}

function trigger(Behaviour $behaviour, object $body): mixed
{
    $list = $body->ScenarioInputParameters ?? null;
    log_strangers($behaviour, $list);
    foreach (REQUIRED as $name) {
        $value = $body->$name ?? null;
        demand($behaviour->isText($value, $name) && $value !== '', "$name is missing");
    }
    $endUser = $body->EndUser ?? null;
    demand($endUser === null || $behaviour->isObject($endUser), 'EndUser is not an object');
    foreach (['Name', 'Phone', 'Email'] as $name) {
        $value = ((array) $endUser)[$name] ?? null;
        demand($value === null || $behaviour->isText($value, $name), "$name is not a string");
    }
    foreach (['Locale', 'ResultDestination'] as $name) {
        demand(!isset($body->$name) || $behaviour->isText($body->$name, $name), "$name is not a string");
    }
    demand(!isset($body->SendResultImmediately) || is_bool($body->SendResultImmediately), 'not a boolean');
    demand(is_array($list), 'ScenarioInputParameters is not a list');
    $inputs = [];
    foreach ($list as $entry) {
        demand(is_object($entry) && is_string($entry->Name ?? null), 'an input has no Name');
        demand($behaviour->isText($entry->Value ?? null, 'Value'), 'an input has no Value');
        $inputs[$entry->Name] = $entry->Value;
    }
    demand(($inputs['_DisplayNumber'] ?? '') !== '', '_DisplayNumber is missing');
    demand(($inputs['_Destination'] ?? '') !== '', '_Destination is missing');
    $destination = $body->ResultDestination ?? '';
    demand($destination === '' || filter_var($destination, FILTER_VALIDATE_URL) !== false, 'ResultDestination is not a URL');
    $behaviour->examine($body, $inputs);
    if ($body->Project != $behaviour->settings->project || !$behaviour->tokenMatches($body->AccessToken)) {
        throw new Refusal('Unauthorized', 401);
    }
    demand(isset($behaviour->settings->lines->{$inputs['_Destination']}), 'the number is not served');
    $id = $behaviour->newId($body);
    $final = microtime(true) + $behaviour->settings->ring_seconds;
    $immediate = $body->SendResultImmediately ?? false;
    $behaviour->store->add([
        'id' => $id,
        'number' => $inputs['_Destination'],
        'token' => $body->AccessToken,
        'conversation' => $body->ConversationId,
        'destination' => $destination,
        'immediate' => (int) $immediate,
        'final_at' => $final,
        'deliver_at' => $destination === '' ? null : $final + $behaviour->deliveryDelay($immediate),
    ]);
    return $behaviour->ack($id, $body);
}

function poll(Behaviour $behaviour, object $body): mixed
{
    $ids = $body->UniqueIds ?? null;
    demand(is_array($ids), 'UniqueIds is not a list');
    foreach ($ids as $id) {
        demand(is_string($id), 'an id is not a string');
    }
    return ['CallResults' => $behaviour->results($ids)];
}

function answer(): bool
{
    $path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    if (!in_array($path, ['/v2/call', '/v2/callresult'], true)) {
        return false;
    }
    $behaviour = behaviour();
    try {
        $behaviour->admit();
        $body = $behaviour->read();
        demand(is_object($body), 'a JSON object is expected');
        $behaviour->write($path === '/v2/call' ? trigger($behaviour, $body) : poll($behaviour, $body));
    } catch (Refusal $refusal) {
        $behaviour->refuse($refusal);
    }
    return true;
}

return answer();
