// SPDX-License-Identifier: GPL-3.0-or-later
//
// A labelled data set as a job type of Flamenco 3.3 or later: one task for each part of the run,
// which makes every n-th tar file, and one that merges and verifies once all of them are done.
//
// Copy this file into the folder `scripts` beside the flamenco-manager executable and submit jobs
// of type "facegen-flamenco" (docs/farm.md has the call). Every worker has to see the checkout and
// the output folder at the same path.
//
// Flamenco ends a task that is cancelled, or whose worker is shut down, with SIGKILL: nothing that
// was rendered is lost by it, and the requeued task goes on.
//
// Tried: compiled under Node by an emulation of Flamenco's `author`, and the commands of its tasks
// run one after the other (tests/dataset/test_farm_templates.py). It never ran on a Flamenco
// manager.
"use strict";

const JOB_TYPE = {
    label: "FaceGen Data Set",
    description: "Heads with all their labels, as WebDataset tar files",
    settings: [
        {
            key: "project",
            type: "string",
            subtype: "dir_path",
            required: true,
            visible: "submission",
            description: "FaceGen's checkout, as every worker sees it",
        },
        {
            key: "output",
            type: "string",
            subtype: "dir_path",
            required: true,
            visible: "submission",
            description: "Folder of the data set, on a disk that all workers share",
        },
        {
            key: "recipe",
            type: "string",
            required: true,
            visible: "submission",
            description: "Name of a recipe, or the absolute path of a TOML file",
        },
        {
            key: "model",
            type: "string",
            default: "person",
            visible: "submission",
            description: "Head model: person, open_flame, anny, or the absolute path of a FLAME file",
        },
        {
            key: "count",
            type: "int32",
            default: 1000,
            propargs: { min: 1, max: 1000000 },
            visible: "submission",
            description: "Samples of the whole job",
        },
        {
            key: "seed",
            type: "int32",
            default: 0,
            propargs: { min: 0 },
            visible: "submission",
            description: "Decides every sample, together with its number",
        },
        {
            key: "shard_size",
            type: "int32",
            default: 100,
            propargs: { min: 1, max: 100000 },
            visible: "submission",
            description: "Samples of one tar file",
        },
        {
            key: "tasks",
            type: "int32",
            default: 4,
            propargs: { min: 1, max: 1000 },
            visible: "submission",
            description: "Into how many tasks the rendering is divided",
        },
        {
            key: "workers",
            type: "int32",
            default: 2,
            propargs: { min: 1, max: 256 },
            visible: "submission",
            description: "Render processes of one task; each takes 0.4 to 1.2 GB, by image size",
        },
        {
            key: "program",
            type: "string",
            choices: ["python", "blender"],
            default: "python",
            visible: "submission",
            description:
                "What runs FaceGen: the checkout's .venv (after `make demo`), or the {blender} of"
                + " the manager's variables",
        },
        {
            key: "options",
            type: "string",
            default: "",
            visible: "submission",
            description: "Further options of dataset make, e.g. --threads 4 --device CPU",
        },
    ],
};

function compileJob(job) {
    const settings = completed(job.settings);
    const mergeTask = author.Task("merge", "misc");
    for (let shard = 0; shard < settings.tasks; shard++) {
        const task = author.Task(`render-${shard}-of-${settings.tasks}`, "blender");
        task.addCommand(facegen(settings, makeArguments(settings, shard)));
        job.addTask(task);
        mergeTask.addDependency(task);
    }
    mergeTask.addCommand(facegen(settings, ["dataset", "merge", settings.output]));
    const origin = ["--recipe", settings.recipe, "--model", settings.model];
    mergeTask.addCommand(facegen(settings, ["dataset", "verify", settings.output].concat(origin)));
    // Last: a job takes a task as it is at this moment.
    job.addTask(mergeTask);
}

// The settings with defaults where none was given, as in jobs that come through the web API.
function completed(given) {
    const settings = {};
    for (const setting of JOB_TYPE.settings) {
        const value = given[setting.key];
        settings[setting.key] = value === undefined || value === null ? setting.default : value;
        if (settings[setting.key] === undefined) {
            throw new Error(`the setting ${setting.key} is missing: ${setting.description}`);
        }
    }
    return settings;
}

function makeArguments(settings, shard) {
    return [
        "dataset",
        "make",
        "--recipe", settings.recipe,
        "--model", settings.model,
        "--count", String(settings.count),
        "--seed", String(settings.seed),
        "--shard-size", String(settings.shard_size),
        "--workers", String(settings.workers),
        "--output", settings.output,
        "--shard", `${shard}/${settings.tasks}`,
        "--resume",
    ].concat(shellSplit(settings.options));
}

// A call of FaceGen's command line.
function facegen(settings, args) {
    const run = `${settings.project}/batch/run.py`;
    if (settings.program === "blender") {
        const inBlender = ["-b", "-P", run, "--"].concat(args);
        return author.Command("exec", { exe: "{blender}", args: inBlender });
    }
    return author.Command("exec", {
        exe: `${settings.project}/.venv/bin/python`,
        args: [run].concat(args),
    });
}
